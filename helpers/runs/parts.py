"""One case of a run: its artefacts, and the part file whose presence commits it."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helpers.atomic import write_bytes_atomic
from helpers.errors import RefusedInput
from helpers.paths import PARTIAL_PREFIX
from helpers.runs.logits import StoredLogits, npz_bytes
from helpers.runs.masks import png_bytes
from helpers.runs.rows import PredictionRow

FOLDERS = ("logits", "masks", "parts", "timings", "locks")


@dataclass(frozen=True)
class CaseResult:
    """All that a run keeps of one case.

    Attributes:
        rows: of all prompts, in the order of prompts and `[SEG]`.
        logits: by prompt id; only those prompts that have maps.
        masks: combined mask by prompt id, bool (H, W); the same prompts.
        timing: seconds by stage, and the batch size.
    """

    case_id: str
    rows: tuple[PredictionRow, ...]
    logits: Mapping[str, StoredLogits] = field(repr=False)
    masks: Mapping[str, np.ndarray] = field(repr=False)
    timing: Mapping[str, float | int]


@dataclass(frozen=True)
class Part:
    """A committed case: the configuration it was made with, its rows, and each artefact's SHA-256 by relative path."""

    case_id: str
    config_sha256: str
    rows: tuple[PredictionRow, ...]
    artefacts: Mapping[str, str]


def logits_name(case_id: str, prompt_id: str) -> str:
    """Where a run keeps the maps of a case and prompt, relative to its folder."""
    return f"logits/{case_id}/{prompt_id}.npz"


def mask_name(case_id: str, prompt_id: str) -> str:
    """Where a run keeps the combined mask of a case and prompt, relative to its folder."""
    return f"masks/{case_id}/{prompt_id}.png"


def part_path(run: Path, case_id: str) -> Path:
    """The part file of a case."""
    return run / "parts" / f"{case_id}.json"


def timing_path(run: Path, case_id: str) -> Path:
    """The file of a case's times."""
    return run / "timings" / f"{case_id}.json"


def commit_case(run: Path, config_sha256: str, result: CaseResult) -> None:
    """Write a case's artefacts and times, then its part: without the part, the case counts as not done.

    Raises:
        OSError: where something cannot be written; nothing half-written keeps its name.
    """
    artefacts = {}
    for prompt_id, stored in result.logits.items():
        artefacts[logits_name(result.case_id, prompt_id)] = npz_bytes(stored)
    for prompt_id, mask in result.masks.items():
        artefacts[mask_name(result.case_id, prompt_id)] = png_bytes(mask)
    for name, content in artefacts.items():
        _write(run / name, content)
    _write(timing_path(run, result.case_id), _json_bytes(dict(result.timing)))
    values = {
        "case_id": result.case_id,
        "config_sha256": config_sha256,
        "artefacts": {name: hashlib.sha256(content).hexdigest() for name, content in artefacts.items()},
        "rows": [row.to_json() for row in result.rows],
    }
    _write(part_path(run, result.case_id), _json_bytes(values))


def read_part(run: Path, case_id: str) -> Part:
    """The part of a committed case. Raises RefusedInput where there is none, or it is no part."""
    path = part_path(run, case_id)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(PredictionRow.from_json(row) for row in values["rows"])
        return Part(str(values["case_id"]), str(values["config_sha256"]), rows, dict(values["artefacts"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RefusedInput(
            f"{path}: expected the part of a case ({type(error).__name__}); predict the run again to mend it"
        ) from error


def is_done(run: Path, config_sha256: str, case_id: str) -> bool:
    """Whether a case is there whole: its part is of this configuration, and its artefacts have their hashes."""
    if not part_path(run, case_id).is_file():
        return False
    try:
        part = read_part(run, case_id)
    except RefusedInput:
        return False
    if (part.case_id, part.config_sha256) != (case_id, config_sha256):
        return False
    return all(_sha256(run / name) == wanted for name, wanted in part.artefacts.items())


def remove_leftovers(run: Path, case_ids: Iterable[str]) -> None:
    """Remove what a killed process left of cases: half-written files, and artefacts that their part does not name.

    Only the process that holds the cases' shard may call this.
    """
    for case_id in case_ids:
        named = set(read_part(run, case_id).artefacts) if _is_readable(run, case_id) else set()
        for folder in (run / "logits" / case_id, run / "masks" / case_id):
            for path in folder.glob("*") if folder.is_dir() else ():
                if path.relative_to(run).as_posix() not in named:
                    path.unlink()
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        for folder in ("parts", "timings"):
            for path in (run / folder).glob(f"{PARTIAL_PREFIX}{case_id}.json-*"):
                path.unlink()


def _is_readable(run: Path, case_id: str) -> bool:
    try:
        read_part(run, case_id)
    except RefusedInput:
        return False
    return True


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(path, content)
    if os.name != "nt":  # the name must be on the disk before the part that vouches for it
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _json_bytes(values: Any) -> bytes:
    return (json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
