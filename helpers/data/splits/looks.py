"""Counts the evaluations of sealed patients: an append-only file beside the rules of their data set.

It is `.vesselkit/looks.jsonl` in the data set's folder, or `NAME.vesselkit-looks.jsonl` beside a folder NAME that
cannot be written. Both are read where both exist. See docs/datasets.md.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from helpers.core.documents import document
from helpers.core.errors import RefusedInput
from helpers.core.json_lines import append_line
from helpers.data.ids.id_key import FOLDER, make_folder
from helpers.data.layouts.detection import saved_rules
from helpers.data.rules import LOOKS_BESIDE

SCHEMA, SCHEMA_VERSION = "vesselkit.look", 1
NAME = "looks.jsonl"


@dataclass(frozen=True)
class Look:
    """One evaluation of sealed patients.

    Attributes:
        fingerprint: of what was scored, see `helpers.evaluation.sealed_looks`.
        patients: their ids; None in a line that cannot be read, which counts for all.
        key_fingerprint: of the key that these were drawn under.
        moment: UTC, as ISO 8601 has it; None for one that is not written yet.
    """

    fingerprint: str
    patients: frozenset[str] | None = field(repr=False)
    key_fingerprint: str | None = None
    moment: str | None = None

    def may_be_of(self, patients: frozenset[str], key_fingerprint: str | None) -> bool:
        """Whether it was at any of the patients. Ids under another key do not tell whose they are, so that it was."""
        return self.patients is None or self.key_fingerprint != key_fingerprint or bool(self.patients & patients)


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
    paths = _paths(root)
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
    found = _looks_at(paths, look.patients or frozenset(), look.key_fingerprint)
    earlier = {one.fingerprint for one in found}
    return len(earlier | {look.fingerprint}), look.fingerprint in earlier


def carry_looks(root: Path, folder: Path, patients: Mapping[str, str], key_fingerprint: str | None) -> None:
    """Write the looks at patients of a data set into a new folder that gets their frames, with the ids of these alone.

    Args:
        root: folder of the data set that they come from.
        folder: of the new one, which nobody else writes into yet.
        patients: id of each sealed patient whose frames it gets -> the id that its looks are counted under.
        key_fingerprint: of the key that these were drawn under.
    Raises:
        RefusedInput: where the file of the count cannot be read.
        OSError: where it cannot be written.
    """
    looked_at = _looks_at(_paths(root), frozenset(patients.values()), key_fingerprint)
    path = folder / FOLDER / NAME
    if looked_at:
        make_folder(path.parent)
    for look in {one.fingerprint: one for one in looked_at}.values():
        told = None if look.key_fingerprint != key_fingerprint else look.patients
        ids = frozenset(one for one, counted_as in patients.items() if told is None or counted_as in told)
        _append(path, replace(look, patients=ids, key_fingerprint=key_fingerprint))


def _looks_at(paths: tuple[Path, ...], patients: frozenset[str], key_fingerprint: str | None) -> list[Look]:
    """The looks of the files that were, or may have been, at any of the patients."""
    return [one for path in paths for one in _read(path) if one.may_be_of(patients, key_fingerprint)]


def _paths(root: Path) -> tuple[Path, Path]:
    """The files that may hold the count of a data set: in the folder that keeps its split, and beside that."""
    above = saved_rules(root).above
    folder = root if above is None or above.rules.split is None else above.folder
    return folder / FOLDER / NAME, folder.with_name(f"{folder.name}{LOOKS_BESIDE}")


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
        moment = None if value.get("moment") is None else str(value["moment"])
        return Look(str(value["fingerprint"]), _ids(value["patients"]), value["key_fingerprint"], moment)
    except (ValueError, KeyError, TypeError):
        return Look(f"line {number}", None)


def _ids(value: Iterable[str]) -> frozenset[str]:
    return frozenset(map(str, value))


def _append(path: Path, look: Look) -> None:
    values = {
        "moment": look.moment or datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": look.fingerprint,
        "patients": sorted(look.patients or ()),
        "key_fingerprint": look.key_fingerprint,
    }
    append_line(path, json.dumps(document(SCHEMA, SCHEMA_VERSION, values)) + "\n")
