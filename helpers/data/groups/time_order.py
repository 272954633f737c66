"""In which order the frames of a sequence were taken, and from what that is known. Drawn ids play no part in it."""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from pathlib import PurePosixPath

from helpers.core.shown_text import counted
from helpers.data.cases import NumberFrom, Record
from helpers.data.frames.dicom_header import Moment
from helpers.data.frames.image_reading import IMAGE_SUFFIXES
from helpers.data.frames.video_file import VIDEO_SUFFIXES
from helpers.data.groups.name_times import in_order_of_time

# Folders that sort files, and say nothing of time.
STRUCTURE = frozenset(
    ("images", "image", "imgs", "img", "frames", "original", "originals", "angiograms", "data")
    + ("train", "training", "val", "valid", "validation", "test", "testing")
    + ("imagestr", "imagests", "img_dir", "jpegimages", "default")  # of nnU-Net, mmsegmentation, VOC and CVAT
)

_SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES | {".gz", ".dcm", ".dicom", ".dic", ".ima"}
_SEPARATORS = " _-."
_EPOCH = re.compile(r"(?<![\d.])\d{9,}\.\d+(?![\d.])")
_DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")
_DIGITS = re.compile(r"([0-9]+)")
_POINT = re.compile(r"(\d+\.\d+|\d+)")
_END = re.compile(r"\d+$")
_UNIT = re.compile(r"[ _.-]?(?:h|m|s|ms|us|hr|min|sec)(?![a-z])")
_HEX = re.compile(r"[0-9a-f]+")
_SEPARATED = re.compile(r"[ _.-]+")
_LAST_LETTER = re.compile(r"[a-z](?![^\W\d_])")
_NO_LETTERS = re.compile(r"[\W\d_]+")


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
        said = "; ".join(
            f"{source} ({count} of {counted(total, 'sequence')})" for source, count in self.taken_from.items()
        )
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
        in_order = _by_moment(members, moment)
        if in_order:
            return source, in_order, None
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
    texts, doubt = _texts(members)
    stems = [parts[-1] for parts in texts.values()]
    epochs = any(_EPOCH.search(stem) for stem in stems)
    letters = _letters(stems)

    def key(record: Record, decimals: bool) -> tuple:
        *folders, stem = texts[record.name]
        last = _natural(stem, decimals) if letters is None else (len(letters[stem]), letters[stem])
        return tuple(_natural(folder, decimals) for folder in folders), last, record.index or 0

    keys = {record.name: key(record, epochs) for record in members}
    ordered = sorted(members, key=lambda record: (keys[record.name], record.name))
    forms = len({_form(stem) for stem in stems})
    if numbers is None and forms > 1:
        numbers = _sorted_by(members, {name: _ending(parts[-1]) for name, parts in texts.items()})
    if numbers and numbers != ordered:
        if forms > 1:
            return OrderFrom.NUMBERS, numbers, "the numbers at the end of names give another order than whole names"
        return OrderFrom.NAMES, ordered, "the numbers at the end of names give another order than whole names"
    if len(set(keys.values())) < len(members):
        return OrderFrom.NAMES, ordered, "some names count as equal, such as 1 and 01"
    if any(_DECIMAL.search(stem) for stem in stems) and not epochs:
        others = sorted(members, key=lambda record: (key(record, True), record.name))
        if others != ordered:
            return OrderFrom.NAMES, ordered, "names hold points, as 1.10: they may be decimals, which order otherwise"
    if letters is None and doubt is None:
        doubt = _doubt([texts[record.name] for record in ordered], [keys[record.name] for record in ordered])
    return OrderFrom.NAMES, ordered, doubt


def _texts(members: Sequence[Record]) -> tuple[dict[str, tuple[str, ...]], str | None]:
    """What is compared of each record's name, by the name, and what its dates leave in doubt."""
    parts = [_text(record) for record in members]

    def order(stems: Sequence[str]) -> Sequence[int]:
        return sorted(range(len(stems)), key=lambda at: (_natural(stems[at], False), at))

    stems, doubt = in_order_of_time([one[-1] for one in parts], order)
    return {record.name: (*one[:-1], stem) for record, one, stem in zip(members, parts, stems, strict=True)}, doubt


def _doubt(texts: Sequence[tuple[str, ...]], keys: Sequence[tuple]) -> str | None:
    """What leaves the natural order of names in doubt.

    Args:
        texts, keys: of the names, in their order.
    """
    for (folders, last, _), (other_folders, other_last, _) in pairwise(keys):
        pairs = [*zip(folders, other_folders, strict=False), (last, other_last)]
        first, second = next(((a, b) for a, b in pairs if a != b), ((), ()))
        at = next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
        if at is None:
            continue
        if at % 2:
            units = [key[at + 1][1] for key in (first, second)]
            if units[0] != units[1] and any(_UNIT.match(unit) for unit in units):
                return "numbers in names have different units"
        elif not _tell_order(first[at][1], second[at][1]):
            return "names differ in words, which tell no order"
    names = [_SEPARATED.sub("", "/".join(parts)) for parts in texts]
    rests = [name[len(os.path.commonprefix(names)) :] for name in names]
    is_hexadecimal = len(set(map(len, rests))) == 1 and all(map(_HEX.fullmatch, rests))
    if is_hexadecimal and not all(map(str.isdecimal, rests)) and sorted(rests, key=lambda rest: int(rest, 16)) != rests:
        return "names may be hexadecimal numbers, which order otherwise"
    return None


def _tell_order(one: str, other: str) -> bool:
    """Whether two texts between numbers differ in the last letter of a word alone, or in no letter at all."""
    if _NO_LETTERS.sub("", one) == _NO_LETTERS.sub("", other):
        return True
    start = len(os.path.commonprefix((one, other)))
    rests = one[start:], other[start:]
    return rests[0][1:] == rests[1][1:] and all(_LAST_LETTER.match(rest) for rest in rests)


def _text(record: Record) -> tuple[str, ...]:
    """Folders that tell something and the stem of a record's file, in one spelling."""
    name = record.name if record.index is None else record.name.rpartition("#")[0]
    digits = (str(unicodedata.decimal(letter, letter)) for letter in unicodedata.normalize("NFKC", name).casefold())
    path = PurePosixPath("".join(digits))
    while path.suffix in _SUFFIXES:  # no other: what stands behind the last point of a UID is its number
        path = path.with_suffix("")
    return *(part for part in path.parts[:-1] if part not in STRUCTURE), path.name


def _natural(text: str, decimals: bool) -> tuple:
    """Sort key that compares numbers as numbers and takes separators as one, in text of one spelling."""
    parts = (_POINT if decimals else _DIGITS).split(text)
    return tuple(
        (Decimal(part), "") if place % 2 else (Decimal(0), part.strip(_SEPARATORS)) for place, part in enumerate(parts)
    )


def _ending(stem: str) -> int | None:
    match = _END.search(stem)
    return None if match is None else int(match[0])


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
    parts = [rest[: len(rest) - end] for rest in rests]
    return parts if all(part.isascii() and part.isalpha() for part in parts) else None


def _letters(stems: Sequence[str]) -> dict[str, str] | None:
    """What a, b, ... z, aa, ab, ... stands in each stem, where they follow each other without a gap; None else."""
    parts = _varying(stems)
    if parts is None or max(map(len, parts)) > 3:
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
