"""Ids of cases, patients and sequences: drawn under a key, or kept from the files' own names.

A pseudonym says nothing of the name behind it, and is always the same under the same key and map. HMAC-SHA256 of the
name gives a row of candidate numbers; the first free one is taken. New names are taken in order of their digests, so
that the order of the files plays no part.
"""

import hashlib
import hmac
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePosixPath

from helpers.data.cases import Record
from helpers.data.frames.image_reading import IMAGE_SUFFIXES
from helpers.data.frames.video_file import VIDEO_SUFFIXES

# Of the numbers of a space at most one in five is taken when it is chosen, at most one in two ever.
_SPARE = 5
_FULL = 2
_LONGEST = 80

_NUMBERED = re.compile(r"(.*[A-Z])([0-9]+)")


class IdPolicy(StrEnum):
    """Where the ids of a data set come from.

    PSEUDONYM: drawn under a local key. KEEP: from the files' own names, since the user says so. PUBLIC: the same, since
    the data set says so, or is a published one.
    """

    PSEUDONYM = "pseudonym"
    KEEP = "keep"
    PUBLIC = "public"


@dataclass(frozen=True)
class Names:
    """The ids of one record; `patient` and `sequence` are None where unknown."""

    case_id: str
    patient: str | None = None
    sequence: str | None = None


@dataclass(frozen=True)
class GivenIds:
    """Ids already given, by original names."""

    patients: Mapping[str, str] = field(default_factory=dict)
    sequences: Mapping[str, str] = field(default_factory=dict)
    cases: Mapping[str, str] = field(default_factory=dict)


def assign(records: Iterable[Record], taken: GivenIds, key: bytes) -> tuple[tuple[Names, ...], GivenIds]:
    """Pseudonyms of grouped records: `P007-S02-F034`; what is unknown of the three is left out, `C0417` with nothing.

    Args:
        taken: ids given before, which stay.
        key: 32 bytes.
    Returns:
        The names of each record, in their order, and all ids taken now.
    """
    records = tuple(records)
    pool = _Pool(key, (*taken.patients.values(), *taken.sequences.values(), *taken.cases.values()))
    patients = dict(taken.patients)
    pool.draw(patients, {record.patient for record in records if record.patient is not None}, "patient", "P", 3)

    sequences = dict(taken.sequences)
    by_patient: dict[str | None, set[str]] = defaultdict(set)
    for record in records:
        if record.sequence is not None:
            by_patient[record.patient].add(_sequence_key(record))
    for patient, names in by_patient.items():
        start, digits = ("S", 3) if patient is None else (f"{patients[patient]}-S", 2)
        pool.draw(sequences, names, "sequence", start, digits)

    cases = dict(taken.cases)
    groups: dict[str | None, list[Record]] = defaultdict(list)
    for record in records:
        groups[_group_id(record, patients, sequences)].append(record)
    for group, members in groups.items():
        if group is None:
            pool.draw(cases, {record.name for record in members}, "case", "C", 4)
            continue
        pool.keep_numbers(cases, members, f"{group}-F")
        pool.draw(cases, {record.name for record in members}, "frame", f"{group}-F", 3)

    given = GivenIds(patients, sequences, cases)
    return _names(records, given), given


def keep_original_names(records: Iterable[Record]) -> tuple[Names, ...]:
    """Ids out of the files' own names, as plain text: the stem, or the whole path where stems are equal.

    Patients and sequences that a header states get a digest of what it says.
    """
    records = _without_headers(records)
    cases = _plain({record.name: _stem(record.name) for record in records})
    patients = _plain({record.patient: record.patient for record in records if record.patient is not None})
    sequences = _plain(
        {
            _sequence_key(record): f"{record.patient}-{record.sequence}" if record.patient else record.sequence
            for record in records
            if record.sequence is not None
        }
    )
    return _names(records, GivenIds(patients, sequences, cases))


def _names(records: Iterable[Record], taken: GivenIds) -> tuple[Names, ...]:
    return tuple(
        Names(
            taken.cases[record.name],
            None if record.patient is None else taken.patients[record.patient],
            None if record.sequence is None else taken.sequences[_sequence_key(record)],
        )
        for record in records
    )


class _Pool:
    """Draws ids under one key, and knows which numbers are taken behind which start of an id, such as `P007-S`."""

    def __init__(self, key: bytes, given: Iterable[str]) -> None:
        self._key = key
        self._used: dict[str, set[int]] = defaultdict(set)
        self._width: dict[str, int] = defaultdict(int)
        for match in filter(None, map(_NUMBERED.fullmatch, given)):
            self._take(match[1], match[2])

    def draw(self, taken: dict[str, str], names: Iterable[str], kind: str, start: str, digits: int) -> None:
        """Give each name that has none an id: `start` and a free number, of at least so many digits."""
        new = sorted((name for name in names if name not in taken), key=lambda name: self._digest(kind, name, 0))
        used = self._used[start]
        width = max(digits, self._width[start])
        if not used:
            while len(new) * _SPARE > 10**width:
                width += 1
        while (len(used) + len(new)) * _FULL > 10**width:
            width += 1
        for name in new:
            counter = 0
            while (number := _number(self._digest(kind, name, counter), width)) in used:
                counter += 1
            taken[name] = self._take(start, f"{number:0{width}d}")

    def keep_numbers(self, taken: dict[str, str], members: list[Record], start: str) -> None:
        """Frames whose own number is known, and theirs alone in the sequence, keep it."""
        counts = Counter(record.number for record in members)
        for record in members:
            number = record.number
            free = number is not None and number >= 0 and counts[number] == 1 and number not in self._used[start]
            if free and record.name not in taken:
                taken[record.name] = self._take(start, f"{number:03d}")

    def _take(self, start: str, digits: str) -> str:
        self._used[start].add(int(digits))
        self._width[start] = max(self._width[start], len(digits))
        return start + digits

    def _digest(self, kind: str, name: str, counter: int) -> bytes:
        text = f"{kind}\0{name}\0{counter}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, text, hashlib.sha256).digest()


def _without_headers(records: Iterable[Record]) -> tuple[Record, ...]:
    """Records whose patients and sequences out of headers are digests: a header names people where files do not."""
    digests: dict[str, str] = {}

    def hidden(record: Record, kind: str) -> str | None:
        name = getattr(record, kind)
        if name is None or kind not in record.from_header:
            return name
        if name not in digests:
            digests[name] = _slow_digest(name)
        return f"{kind[0].upper()}-{digests[name]}"

    return tuple(
        replace(record, patient=hidden(record, "patient"), sequence=hidden(record, "sequence")) for record in records
    )


def _slow_digest(name: str) -> str:
    """10 hexadecimal digits, about 10 ms each, so that trying out every patient number takes its time."""
    text = name.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(text, salt=b"vesselkit header", n=2**12, r=8, p=1, dklen=5).hex()


def _number(digest: bytes, width: int) -> int:
    """1 .. 10**width - 1."""
    return int.from_bytes(digest[:16]) % (10**width - 1) + 1


def _group_id(record: Record, patients: Mapping[str, str], sequences: Mapping[str, str]) -> str | None:
    if record.sequence is not None:
        return sequences[_sequence_key(record)]
    return None if record.patient is None else patients[record.patient]


def _sequence_key(record: Record) -> str:
    """A sequence's name is its own within its patient only."""
    return f"{record.patient or ''}\0{record.sequence}"


def _stem(name: str) -> str:
    path, _, position = name.partition("#")
    stem = PurePosixPath(path).name
    while PurePosixPath(stem).suffix.lower() in _SUFFIXES:
        stem = PurePosixPath(stem).stem
    return f"{stem}-{position}" if position else stem


_SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES | {".gz", ".dcm", ".dicom"}


def _plain(wanted: Mapping[str, str]) -> dict[str, str]:
    """A plain, unique text for each name: the wanted one; else the whole name; else that with a digest behind it.

    Texts that differ only in case count as equal, since some file systems hold them so.
    """
    names = {name: _sanitised(text) for name, text in wanted.items()}
    for again in (_sanitised, lambda name: f"{_sanitised(name)[:_LONGEST]}-{_short_digest(name)}"):
        counts = Counter(text.casefold() for text in names.values())
        names = {
            name: again(name) if counts[text.casefold()] > 1 or not text or len(text) > _LONGEST else text
            for name, text in names.items()
        }
    return names


def _sanitised(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")


def _short_digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
