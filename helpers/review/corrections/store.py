"""The folder of corrections: a folder for each reader, with a PNG a case and a record that only grows.

A mask is written first, under a name of its own, then its record, then the mask takes the case's name. Whenever the
process is killed, a case has the mask of its last whole record.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from filelock import FileLock

from helpers.core.atomic import flush, write_bytes_atomic
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.json_lines import MAX_BYTES, append_line
from helpers.core.paths import plain_name
from helpers.core.shown_text import counted
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.record import CorrectionRecord, standing
from helpers.runs.stored_maps import png_bytes, read_png

logger = logging.getLogger(__name__)
RECORD_NAME = "record.jsonl"
MASKS_NAME = "masks"
_PENDING = ".pending-"
_ADVICE = "Correct the case again, or copy the reader's whole folder back"


@dataclass(frozen=True)
class CorrectionStore:
    """The corrections of all readers, in `folder`."""

    folder: Path

    def save(
        self,
        record: CorrectionRecord,
        mask: np.ndarray | None,
        require: Callable[[CorrectionRecord | None], None] | None = None,
    ) -> None:
        """Keep a correction; mask and record are on the disk when this returns.

        Args:
            mask: bool (H, W); None where the record takes the reader's correction of the case back.
            require: is given the reader's last record of the case, None where there is none, while nobody else can
                write, and raises to refuse.
        Raises:
            UsageProblem: for a reader or case whose name cannot be that of a file, or where a later correction of the
                case is there, whose mask this one would take away.
            ValueError: where the mask is not the one that the record speaks of.
            OSError: where it cannot be written.
        """
        own = self.folder / plain_name(record.reviewer, "reviewer")
        path = _mask_path(own, record.case_id)
        if record.mask_sha256 != (None if mask is None else mask_digest(mask)):
            raise ValueError("expected the mask of the record's mask_sha256")
        if mask is not None and mask.shape != (record.height, record.width):
            raise ValueError(f"expected a mask of {record.width}x{record.height}, got {mask.shape[1]}x{mask.shape[0]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(own / f"{RECORD_NAME}.lock"):
            new = not (own / RECORD_NAME).exists()
            _tidy(own)
            _require_last(own, record, require)
            if mask is not None:
                write_bytes_atomic(_pending(own, record.id), png_bytes(mask))
                flush(path.parent)
            # What was torn stays so, also where only its end is missing: a reader passed it over already.
            append_line(own / RECORD_NAME, record.to_line(), "#torn")
            if new:
                flush(self.folder)
            _settle(own, record)

    def records(self) -> tuple[CorrectionRecord, ...]:
        """All records, reader by reader, each in the order in which they were made.

        Raises:
            RefusedInput: for a record that cannot be read, of another version, or another reader's.
        """
        folders = sorted(path.parent for path in self.folder.glob(f"*/{RECORD_NAME}"))
        return tuple(record for own in folders for record in _lines(own))

    def standing(self) -> dict[str, dict[str, CorrectionRecord]]:
        """Reader -> case id -> the correction that stands. Raises as `records`."""
        return standing(self.records())

    def mask(self, record: CorrectionRecord) -> np.ndarray:
        """The mask of a record that stands, bool (H, W).

        Raises:
            RefusedInput: where its file is lost, or holds another mask.
        """
        own = self.folder / plain_name(record.reviewer, "reviewer")
        path = _mask_path(own, record.case_id)
        # Where the process was killed between the record and the mask's name, the mask has its first name yet.
        for place in (_pending(own, record.id), path):
            if place.is_file():
                try:
                    mask = read_png(place)
                except RefusedInput as error:
                    raise _another(place, "a damaged one") from error
                if mask_digest(mask) == record.mask_sha256:
                    return mask
        raise _another(path, "another, or none")


def _another(path: Path, instead: str) -> RefusedInput:
    return RefusedInput(f"{path}: expected the mask that its record speaks of, found {instead}. {_ADVICE}")


def _mask_path(own: Path, case_id: str) -> Path:
    if not case_id or case_id in (".", "..") or set(case_id) & set('/\\\0:*?"<>|') or case_id.startswith("."):
        raise UsageProblem(f"expected a case id that can be a file's name, got {case_id!r}")
    return own / MASKS_NAME / f"{case_id}.png"


def _pending(own: Path, record_id: str) -> Path:
    return own / MASKS_NAME / f"{_PENDING}{record_id}.png"


def _tidy(own: Path) -> None:
    """Finish what a killed process left: masks whose record is there get their names, others go."""
    pending = list((own / MASKS_NAME).glob(f"{_PENDING}*.png"))
    if not pending:
        return
    last = {one.case_id: one for one in sorted(_lines(own), key=lambda one: one.moment)}
    left = {one.id: one for one in last.values()}
    for path in pending:
        record = left.get(path.stem.removeprefix(_PENDING))
        if record is None:
            path.unlink()
        else:
            _settle(own, record)


def _require_last(
    own: Path, record: CorrectionRecord, require: Callable[[CorrectionRecord | None], None] | None
) -> None:
    earlier = [one for one in _lines(own) if one.case_id == record.case_id]
    last = max(reversed(earlier), key=lambda one: one.moment, default=None)
    if require is not None:
        require(last)
    if last is not None and last.moment > record.moment:
        raise UsageProblem(
            f"{record.case_id}: expected the latest correction of the case, and a later one of {record.reviewer} is "
            "kept. Open the review again to see that one"
        )


def _settle(own: Path, record: CorrectionRecord) -> None:
    """Give the mask of the last record of a case the case's name, or take the file away that it takes back."""
    path, pending = _mask_path(own, record.case_id), _pending(own, record.id)
    if record.mask_sha256 is None:
        path.unlink(missing_ok=True)
    elif pending.is_file():
        os.replace(pending, path)
    flush(path.parent)


def _lines(own: Path) -> tuple[CorrectionRecord, ...]:
    """The records of one reader. Lines that were torn, which are no JSON objects, are skipped with a warning."""
    path = own / RECORD_NAME
    try:
        state = path.stat()
        return _lines_of(path, state.st_size, state.st_mtime_ns)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise RefusedInput(f"{path}: expected a record of corrections ({error.strerror}). Check the path") from error


@lru_cache(maxsize=64)
def _lines_of(path: Path, size: int, changed: int) -> tuple[CorrectionRecord, ...]:
    """As `_lines`; `changed` is there so that a file that was written again is read again."""
    if size > MAX_BYTES:
        raise RefusedInput(f"{path}: expected a record of corrections, found more than {MAX_BYTES:,} bytes")
    *whole, last = path.read_bytes().split(b"\n")
    records, torn = [], int(bool(last))  # without its end a line was not on the disk when its process was killed
    for number, line in enumerate(whole, 1):
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            torn += 1
            continue
        try:
            record = CorrectionRecord.from_json(values)
        except ValueError as error:
            raise RefusedInput(f"{path}: line {number}: {error}. {_ADVICE}") from error
        if record.reviewer != path.parent.name:
            raise RefusedInput(
                f"{path}: line {number}: expected records of {path.parent.name}, found one of "
                f"{record.reviewer}. {_ADVICE}"
            )
        records.append(record)
    if torn:
        logger.warning("a record of corrections has %s torn, skipped", counted(torn, "line"))
    return tuple(records)
