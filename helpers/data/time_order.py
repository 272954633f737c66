"""In which order the frames of a sequence were taken, and from what that is known. Drawn ids play no part in it."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import PurePosixPath

from helpers.data.record import NumberFrom, Record
from helpers.images.dicom_header import Moment
from helpers.images.reading import IMAGE_SUFFIXES
from helpers.images.video import VIDEO_SUFFIXES

# Folders that sort files, and say nothing of time.
STRUCTURE = frozenset(
    ("images", "image", "imgs", "img", "frames", "original", "originals", "angiograms", "data")
    + ("train", "training", "val", "valid", "validation", "test", "testing")
)

_SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES | {".gz", ".dcm", ".dicom", ".dic", ".ima"}
_SEPARATORS = " _-."
_EPOCH = re.compile(r"(?<![\d.])\d{9,}\.\d+(?![\d.])")
_DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")
_DIGITS = re.compile(r"([0-9]+)")
_POINT = re.compile(r"(\d+\.\d+|\d+)")


class OrderFrom(StrEnum):
    """What says in which order frames were taken, for people."""

    RULE = "the frame numbers of the given rule"
    ACQUIRED = "the times of acquisition in the headers"
    NUMBERS = "frame numbers"
    CONTENT = "the times of the content in the headers"
    INSTANCES = "the instance numbers in the headers"
    NAMES = "names, in natural order"


@dataclass(frozen=True)
class Doubt:
    """A sequence whose order cannot be told with certainty.

    Attributes:
        names: of its records.
        reason: without names.
    """

    names: tuple[str, ...] = field(repr=False)
    reason: str


@dataclass(frozen=True)
class TimeOrder:
    """The order of all records of a data set.

    Attributes:
        positions: record name -> position in its sequence in order of time, from 0; none for records without one.
        taken_from: how many sequences of several frames were ordered by what.
        doubts: sequences to look at.
    """

    positions: Mapping[str, int] = field(repr=False)
    taken_from: Mapping[OrderFrom, int]
    doubts: tuple[Doubt, ...] = field(repr=False)

    @property
    def note(self) -> str | None:
        """What was taken, without names; None without a sequence of several frames."""
        if not self.taken_from:
            return None
        if len(self.taken_from) == 1:
            return f"frames of a sequence in order of: {next(iter(self.taken_from))}"
        total = sum(self.taken_from.values())
        said = "; ".join(f"{source} ({count} of {total} sequences)" for source, count in self.taken_from.items())
        return f"frames of a sequence in order of: {said}"


def time_order(records: Iterable[Record]) -> TimeOrder:
    """The order of grouped records in their sequences.

    The first of these decides that tells all frames of a sequence apart: the numbers of a rule of the user's, times of
    acquisition, frame numbers, times of the content, instance numbers, the natural order of names. A number that two
    frames share, or that one lacks, decides nothing.
    """
    groups: dict[tuple[str | None, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.sequence is not None:
            groups[record.patient, record.sequence].append(record)
    positions: dict[str, int] = {}
    taken: Counter[OrderFrom] = Counter()
    doubts = []
    for members in groups.values():
        source, ordered, reason = _ordered(members)
        positions |= {record.name: position for position, record in enumerate(ordered)}
        if len(members) > 1:
            taken[source] += 1
            doubts += [] if reason is None else [Doubt(tuple(record.name for record in ordered), reason)]
    return TimeOrder(positions, {source: taken[source] for source in OrderFrom if taken[source]}, tuple(doubts))


def _ordered(members: Sequence[Record]) -> tuple[OrderFrom, Sequence[Record], str | None]:
    """What decides, the records in its order, and what leaves it in doubt."""
    numbers = _sorted_by(members, {record.name: record.number for record in members})
    origins = {record.number_from for record in members}
    if numbers and origins == {NumberFrom.RULE}:
        return OrderFrom.RULE, numbers, None
    acquired = _by_moment(members, Moment.ACQUIRED)
    if acquired:
        differs = numbers is not None and numbers != acquired
        return OrderFrom.ACQUIRED, acquired, "instance numbers give another order than times" if differs else None
    if numbers and NumberFrom.NAME not in origins:
        return OrderFrom.NUMBERS, numbers, None
    for source, moment in ((OrderFrom.CONTENT, Moment.CONTENT), (OrderFrom.INSTANCES, Moment.INSTANCE)):
        found = _by_moment(members, moment)
        if found:
            return source, found, None
    return _by_name(members, numbers)


def _sorted_by(members: Sequence[Record], values: Mapping[str, float | None]) -> list[Record] | None:
    """The records by a value, then by their position in a file of several; None where these do not tell all apart."""
    if any(value is None for value in values.values()):
        return None
    keys = {record.name: (values[record.name], record.index or 0) for record in members}
    if len(set(keys.values())) < len(members):
        return None
    return sorted(members, key=lambda record: keys[record.name])


def _by_moment(members: Sequence[Record], moment: Moment) -> list[Record] | None:
    return _sorted_by(members, {record.name: record.moments.get(moment) for record in members})


def _by_name(members: Sequence[Record], numbers: list[Record] | None) -> tuple[OrderFrom, Sequence[Record], str | None]:
    """As `_ordered`, by names; numbers at their ends decide where the names are of different forms."""
    texts = {record.name: _text(record) for record in members}
    stems = [parts[-1] for parts in texts.values()]
    epochs = any(_EPOCH.search(stem) for stem in stems)
    letters = _letters(stems)

    def key(record: Record, decimals: bool) -> tuple:
        *folders, stem = texts[record.name]
        last = _natural(stem, decimals) if letters is None else (len(letters[stem]), letters[stem])
        return tuple(_natural(folder, decimals) for folder in folders), last, record.index or 0

    keys = {record.name: key(record, epochs) for record in members}
    ordered = sorted(members, key=lambda record: (keys[record.name], record.name))
    if numbers and numbers != ordered:
        if len({_form(stem) for stem in stems}) > 1:
            return OrderFrom.NUMBERS, numbers, "the numbers at the end of names give another order than whole names"
        return OrderFrom.NAMES, ordered, "the numbers at the end of names give another order than whole names"
    if len(set(keys.values())) < len(members):
        return OrderFrom.NAMES, ordered, "some names count as equal, such as 1 and 01"
    if any(_DECIMAL.search(stem) for stem in stems) and not epochs:
        others = sorted(members, key=lambda record: (key(record, True), record.name))
        if others != ordered:
            return OrderFrom.NAMES, ordered, "names hold points, as 1.10: they may be decimals, which order otherwise"
    if letters is None and len(members) > 1 and _are_words(stems):
        return OrderFrom.NAMES, ordered, "names differ in words alone, which tell no order"
    return OrderFrom.NAMES, ordered, None


def _text(record: Record) -> tuple[str, ...]:
    """Folders that tell something and the stem of a record's file, in one spelling."""
    name = record.name if record.index is None else record.name.rpartition("#")[0]
    path = PurePosixPath(unicodedata.normalize("NFKC", name).casefold())
    while path.suffix in _SUFFIXES:  # no other: what stands behind the last point of a UID is its number
        path = path.with_suffix("")
    return *(part for part in path.parts[:-1] if part not in STRUCTURE), path.name


def _natural(text: str, decimals: bool) -> tuple:
    """Sort key that compares numbers as numbers and takes separators as one, in text of one spelling."""
    parts = (_POINT if decimals else _DIGITS).split(text)
    return tuple(
        (Decimal(part), "") if place % 2 else (Decimal(0), part.strip(_SEPARATORS)) for place, part in enumerate(parts)
    )


def _form(stem: str) -> str:
    return _DIGITS.sub("0", stem)


def _varying(stems: Sequence[str]) -> list[str] | None:
    """The part of each stem that differs, where it is letters alone; None else."""
    first, last = min(stems), max(stems)
    start = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(map(len, stems)))
    rests = [stem[start:] for stem in stems]
    end = 0
    while all(len(rest) > end for rest in rests) and len({rest[-1 - end] for rest in rests}) == 1:
        end += 1
    found = [rest[: len(rest) - end] for rest in rests]
    return found if all(part.isascii() and part.isalpha() for part in found) else None


def _letters(stems: Sequence[str]) -> dict[str, str] | None:
    """What a, b, ... z, aa, ab, ... stands in each stem, where they follow each other without a gap; None else."""
    parts = _varying(stems)
    if parts is None or len({len(part) for part in parts}) == 1 or max(map(len, parts)) > 3:
        return None
    places = sorted(_place(part) for part in parts)
    if places != list(range(places[0], places[0] + len(places))):
        return None
    return dict(zip(stems, parts, strict=True))


def _place(letters: str) -> int:
    """Of a, b, ... z, aa, ab, ... from 1."""
    place = 0
    for letter in letters:
        place = 26 * place + ord(letter) - ord("a") + 1
    return place


def _are_words(stems: Sequence[str]) -> bool:
    parts = _varying(stems)
    return parts is not None and len({len(part) for part in parts}) > 1
