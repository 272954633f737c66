"""The key of a job: what its result depends on, cheap enough to compute before every run."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from helpers import paths

_NOTEBOOK_FORMAT = 4
_BESIDE = {"__pycache__"}  # written by reading a model, not part of it
_NAMES = {"project", "name"}  # parameters that are never paths, though a folder may have that name


class Fingerprints:
    """States of inputs, each looked at once: size and time of change of every file, not its content."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """Hash of the listing of a file or folder. Hidden files, such as keys of case ids, do not count."""
        if path not in self._known:
            digest = hashlib.sha256()
            for file in sorted(_files(path)):
                state = file.stat()
                name = file.relative_to(path).as_posix()
                digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="surrogateescape"))
            self._known[path] = digest.hexdigest()
        return self._known[path]


def job_key(notebook: Path, parameters: Mapping[str, Any], fingerprints: Fingerprints) -> str:
    """SHA-256, in hexadecimal, of a notebook's cells, the parameters, and the state of the inputs that they name.

    Args:
        parameters: JSON values. Every string among them that names an existing file or folder counts as an input.
    """
    cells = [(cell.cell_type, cell.source) for cell in nbformat.read(notebook, as_version=_NOTEBOOK_FORMAT).cells]
    inputs = {
        text: fingerprints.of(path)
        for name, value in parameters.items()
        if name not in _NAMES
        for text in _strings(value)
        if (path := existing_input(text)) is not None
    }
    facts = {"cells": cells, "parameters": dict(parameters), "inputs": inputs}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()


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


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def existing_input(text: str) -> Path | None:
    """The input that a text names, if any; a prompt names none."""
    if not text.strip():
        return None
    try:
        path = paths.resolve(text)
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, or the home of nobody: a prompt
        return None
