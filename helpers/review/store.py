"""The verdict store: one file of lines for each reviewer, only ever appended to.

A line is on the disk before the call returns. A line that was cut by a crash is passed over and told of; what follows
it is read. Two reviewers never write to the same file, and two windows of one reviewer take turns.
"""

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from helpers.errors import RefusedInput
from helpers.paths import plain_name
from helpers.review.verdicts import NoMoment, VerdictRecord

logger = logging.getLogger(__name__)

SUFFIX = ".jsonl"
_MAX_BYTES = 256_000_000


@dataclass(frozen=True)
class VerdictStore:
    """The verdicts of all reviewers on one run, in `folder`."""

    folder: Path

    def append(self, record: VerdictRecord) -> None:
        """Add a record to its reviewer's file.

        Raises:
            UsageProblem: for a reviewer whose name cannot be that of a file.
            OSError: where it cannot be written.
        """
        self._write(record.reviewer, [record])

    def merge(self, records: Iterable[VerdictRecord]) -> int:
        """Add records from elsewhere, such as a downloaded file; how many were new. Raises as `append`."""
        by_reviewer: dict[str, list[VerdictRecord]] = {}
        for record in records:
            by_reviewer.setdefault(record.reviewer, []).append(record)
        for reviewer in by_reviewer:
            plain_name(reviewer, "reviewer")  # all or none are taken
        return sum(self._write(reviewer, found) for reviewer, found in by_reviewer.items())

    def records(self) -> tuple[VerdictRecord, ...]:
        """All records, reviewer by reviewer, each in the order in which they were given."""
        return tuple(record for path in sorted(self.folder.glob(f"*{SUFFIX}")) for record in read_lines(path))

    def _write(self, reviewer: str, records: list[VerdictRecord]) -> int:
        path = self.folder / f"{plain_name(reviewer, 'reviewer')}{SUFFIX}"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            known = {record.id for record in read_lines(path)} if path.exists() else set()
            new = [record for record in records if record.id not in known]
            with path.open("ab+") as file:
                text = "".join(record.to_line() for record in new)
                if _is_cut(file) and text:
                    text = "\n" + text
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        return len(new)


def read_lines(path: Path) -> tuple[VerdictRecord, ...]:
    """The records of a verdict file. Lines that are none are passed over, and counted in a warning.

    Raises:
        RefusedInput: for a file that cannot be read, is too large, or holds lines and none of them is a record.
    """
    return _without_spoilt(path, *_parsed(path))


def read_taken(path: Path) -> tuple[VerdictRecord, ...]:
    """The records of a file from elsewhere, as `read_lines` gives them.

    Raises:
        RefusedInput: as `read_lines`, and for a record whose time names no moment: which verdict stands is unknown.
    """
    found, spoilt = _parsed(path)
    timeless = {number: error for number, error in spoilt.items() if isinstance(error, NoMoment)}
    if timeless:
        number, error = next(iter(timeless.items()))
        raise RefusedInput(
            f"{path}: line {number}: {error}. So it is in {len(timeless)} lines, and which of a reviewer's verdicts is "
            "the last cannot be told. Take the file as the page wrote it, or correct the times; nothing was taken over"
        )
    return _without_spoilt(path, found, spoilt)


def _parsed(path: Path) -> tuple[list[VerdictRecord], dict[int, Exception]]:
    """The records of a file, and by number of the line what is wrong with the others."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RefusedInput(f"{path}: expected a file of verdicts, found more than {_MAX_BYTES:,} bytes")
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RefusedInput(f"{path}: expected a file of verdicts ({error.strerror}). Check the path") from error
    found, spoilt = [], {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(VerdictRecord.from_json(json.loads(line)))
        except (ValueError, RecursionError) as error:
            spoilt[number] = error
    return found, spoilt


def _without_spoilt(path: Path, found: list[VerdictRecord], spoilt: dict[int, Exception]) -> tuple[VerdictRecord, ...]:
    if spoilt and not found and len(spoilt) > 1:
        raise RefusedInput(f"{path}: expected verdicts as docs/review.md has them, one a line, found none. Check it")
    if spoilt:
        logger.warning("a verdict file has %d lines that were cut or damaged; they are passed over", len(spoilt))
    return tuple(found)


def _is_cut(file) -> bool:
    """Whether the last line of an open file lacks its end."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
