"""Keys of the jobs of a grid: hashes of a notebook, its parameters and the contents of what these name.

A job whose key is unchanged would give the same result, and is not run again.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from helpers.core import paths
from helpers.core.atomic import write_json_atomic
from helpers.core.errors import VesselkitError
from helpers.core.progress import track
from helpers.data.dataset import Dataset
from helpers.notebook.parameters import NOTEBOOK_FORMAT, texts_in
from helpers.runs.provenance import file_state
from helpers.runs.run_config import CONFIG_NAME, MANIFEST_NAME

_BESIDE = {"__pycache__"}  # written by reading a model, not part of it
_NAMES = {"project", "name"}  # parameters that are never paths, though a folder may have that name
_KEY = "id_key"  # made by the first job that needs it; what it does to the ids is in `data_state`


class Fingerprints:
    """Hashes of inputs by their content.

    Args:
        known: SHA-256 of files by their state, of an earlier call.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(known or {})
        self._used: dict[str, str] = {}
        self._folders: dict[Path, str] = {}

    @classmethod
    def kept_in(cls, path: Path) -> "Fingerprints":
        """With the hashes that `keep` wrote; with none where they cannot be read."""
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = None
        return cls(known if isinstance(known, dict) else None)

    def keep(self, path: Path) -> None:
        """Write the hashes that were used, by digests of the files' states: no names.

        Raises:
            VesselkitError: where they cannot be written, as then no result of the grid can.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json_atomic(path, self._used)
        except OSError as error:
            raise VesselkitError(
                f"{path.parent}: expected a folder to write the grid to, and it cannot be ({error.strerror}). Free "
                "some space, or make it writable"
            ) from error

    def of(self, path: Path) -> str:
        """Hash of the names and contents of a file or folder. Hidden files do not count.

        A finished run is known by its configuration and tables, which hold the hashes of all that it says.
        """
        if path not in self._folders:
            self._folders[path] = _run_digest(path) or self._listing(path)
        return self._folders[path]

    def content(self, file: Path) -> str | None:
        """SHA-256 of a file; None where there is none."""
        state = file_state(file)
        if state is None:
            return None
        if state not in self._used:
            self._used[state] = self._known.get(state) or _sha256(file)
        return self._used[state]

    def _listing(self, path: Path) -> str:
        digest = hashlib.sha256()
        for file in track(sorted(_files(path)), "hashing inputs", unit="file"):
            name = file.relative_to(path).as_posix()
            digest.update(f"{name}\0{self.content(file)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()


def job_key(
    notebook: Path, parameters: Mapping[str, Any], fingerprints: Fingerprints, state: Mapping[str, Any] | None = None
) -> str:
    """SHA-256, in hexadecimal, of a notebook's cells, the parameters, and the content of the inputs that they name.

    Args:
        parameters: JSON values. Every string among them that names an existing file or folder counts as an input.
        state: JSON object of further facts that the result depends on.
    """
    cells = [(cell.cell_type, cell.source) for cell in nbformat.read(notebook, as_version=NOTEBOOK_FORMAT).cells]
    inputs = {
        text: fingerprints.of(path)
        for name, value in parameters.items()
        if name not in _NAMES and name != _KEY
        for text in texts_in(value)
        if (path := existing_input(text)) is not None
    }
    facts = {"cells": cells, "parameters": dict(parameters), "inputs": inputs, "state": dict(state or {})}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def data_state(dataset: Dataset, path: Path, fingerprints: Fingerprints) -> dict[str, Any]:
    """What of a data set its own files do not say: the key of its ids, and images that lie elsewhere.

    Args:
        path: that the data set was opened at.
    """
    elsewhere = [frame for frame in dataset.frames if not frame.path.is_relative_to(path)]
    return {
        "key_fingerprint": dataset.key_fingerprint,
        "images": [[frame.case_id, fingerprints.content(frame.path)] for frame in elsewhere],
    }


def _run_digest(path: Path) -> str | None:
    """The digest of a finished run; None for any other folder or file."""
    try:
        config = json.loads((path / CONFIG_NAME).read_text(encoding="utf-8"))
        manifest = json.loads((path / MANIFEST_NAME).read_text(encoding="utf-8"))
        facts = [config["config_sha256"], manifest["config_sha256"], manifest["data_sha256"], manifest["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or the files of a folder."""
    if path.is_file():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name not in _BESIDE and not name.startswith(".")]
        for name in files:
            file = Path(folder) / name
            if not name.startswith(".") and file.is_file():
                yield file


def existing_input(text: str) -> Path | None:
    """The input that a text names, if any; a prompt names none."""
    if not text.strip():
        return None
    try:
        path = paths.resolve(text)
        return path if path.exists() else None
    except (OSError, ValueError):  # too long, or a NUL: a prompt
        return None
