"""Counts the evaluations of sealed patients: an append-only file beside the rules of their data set.

It is `.vesselkit/looks.jsonl` in the data set's folder, or `NAME.vesselkit-looks.jsonl` beside a folder NAME that
cannot be written. Both are read where both exist. See docs/datasets.md.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from helpers.core.documents import document
from helpers.core.errors import RefusedInput
from helpers.core.json_lines import append_line
from helpers.data.ids.id_key import FOLDER, make_folder
from helpers.data.layouts.detection import saved_rules
from helpers.data.layouts.unread_kinds import LOOKS_BESIDE

SCHEMA, SCHEMA_VERSION = "vesselkit.look", 1
NAME = "looks.jsonl"


@dataclass(frozen=True)
class Look:
    """One evaluation of sealed patients.

    Attributes:
        fingerprint: of what was scored, see `helpers.evaluation.sealed_looks`.
        patients: their ids; None in a line that cannot be read, which counts for all.
        key_fingerprint: of the key that these were drawn under.
    """

    fingerprint: str
    patients: frozenset[str] | None = field(repr=False)
    key_fingerprint: str | None = None


@dataclass(frozen=True)
class LookCount:
    """How often patients were looked at.

    Attributes:
        number: of different looks at any of them, this one included.
        again: whether this very look was counted before.
        kept: False where it could not be written down, so that the next count lacks it.
    """

    number: int
    again: bool
    kept: bool


def count_look(root: Path, look: Look) -> LookCount:
    """Count a look at sealed patients, and write it down unless it was counted before.

    Args:
        root: folder of the data set; where the split is kept in a folder above, the count is kept there too.
    Raises:
        RefusedInput: where the file of the count cannot be read.
    """
    folder = _folder_of_split(root)
    paths = (folder / FOLDER / NAME, folder.with_name(f"{folder.name}{LOOKS_BESIDE}"))
    for path in paths:
        try:
            make_folder(path.parent)
            with FileLock(path.with_suffix(".lock"), mode=0o600):
                number, again = _number_of_looks(paths, look)
                if not again:
                    _append(path, look)
        except OSError:
            continue
        return LookCount(number, again, kept=True)
    number, again = _number_of_looks(paths, look)
    return LookCount(number, again, kept=again)


def _number_of_looks(paths: tuple[Path, ...], look: Look) -> tuple[int, bool]:
    """The number of different looks, this one included, and whether this one is among the earlier ones."""
    earlier = {
        one.fingerprint
        for path in paths
        for one in _read(path)
        if one.patients is None
        or (one.key_fingerprint == look.key_fingerprint and one.patients & (look.patients or frozenset()))
    }
    return len(earlier | {look.fingerprint}), look.fingerprint in earlier


def _folder_of_split(root: Path) -> Path:
    above = saved_rules(root).above
    return root if above is None or above.rules.split is None else above.folder


def _read(path: Path) -> Iterator[Look]:
    """The looks of a file. A line that is none, such as one that was cut, counts as a look at all patients."""
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
    except OSError as error:
        raise RefusedInput(
            f"{path}: expected the count of evaluations of sealed patients ({error.strerror}). Make it readable"
        ) from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _look(line, number)


def _look(line: bytes, number: int) -> Look:
    try:
        value = json.loads(line)
        if (value["schema"], value["schema_version"]) != (SCHEMA, SCHEMA_VERSION):
            raise ValueError
        return Look(str(value["fingerprint"]), _ids(value["patients"]), value["key_fingerprint"])
    except (ValueError, KeyError, TypeError):
        return Look(f"line {number}", None)


def _ids(value: Iterable[str]) -> frozenset[str]:
    return frozenset(map(str, value))


def _append(path: Path, look: Look) -> None:
    values = {
        "moment": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": look.fingerprint,
        "patients": sorted(look.patients or ()),
        "key_fingerprint": look.key_fingerprint,
    }
    append_line(path, json.dumps(document(SCHEMA, SCHEMA_VERSION, values)) + "\n")
