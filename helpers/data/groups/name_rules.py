"""The patient of a file's name, as the rule that grouped a data set has it: also of files that are not in the set.

What a rule does not read with certainty it does not read: such a name's patient stays unknown.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from helpers.data.cases import Record
from helpers.data.groups.grouping import PATIENT_FOLDER, STEMS
from helpers.data.groups.time_order import STRUCTURE
from helpers.data.layouts.paired_table import BY_NAME

_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}$")  # P1.5_003 has none


@dataclass(frozen=True)
class NamedGroups:
    """What a name says; a None is not said. Originals: they stay on this machine.

    Attributes:
        place: first and last position, in the name as given, of the patient's text, else of the sequence's; None where
            the text is not at one place of the name.
    """

    patient: str | None = field(repr=False)
    sequence: str | None = field(default=None, repr=False)
    place: tuple[int, int] | None = None


class NameRule(Protocol):
    """How patient and sequence are read from a name, a path with '/' between its parts."""

    def read(self, name: str) -> NamedGroups | None:
        """The groups of a name; None where the rule cannot tell them."""


@dataclass(frozen=True)
class NoRule:
    """Groups that no name states: from headers or tables, or none at all."""

    def read(self, name: str) -> NamedGroups | None:
        return None


@dataclass(frozen=True)
class PatternRule:
    """A regular expression of the user's, made for the names of a data set.

    Attributes:
        depths: numbers of parts of these names, the largest first: of a longer path so many last parts are searched.
        suffixes: of these names, for a name without one or of a copy in another format.
    """

    pattern: re.Pattern[str]
    depths: tuple[int, ...]
    suffixes: tuple[str, ...]

    def read(self, name: str) -> NamedGroups | None:
        parts = _parts(name)
        fitting = [depth for depth in self.depths if depth <= len(parts)] or [len(parts)]
        for depth in fitting:
            groups = self._search(parts[-depth:], name)
            if groups is not None:
                return groups
        others = [self._search(parts[-depth:], name) for depth in range(1, len(parts) + 1) if depth not in fitting]
        told = {(one.patient, one.sequence): one for one in others if one is not None}
        return next(iter(told.values())) if len(told) == 1 else None

    def _search(self, parts: Sequence[str], name: str) -> NamedGroups | None:
        text = "/".join(parts)
        for tried in (text, *(f"{_without_suffix(text)}{suffix}" for suffix in self.suffixes)):
            match = self.pattern.search(tried)
            if match is None:
                continue
            groups = match.groupdict()
            patient, sequence = groups.get("patient") or None, groups.get("sequence") or None
            # A folder that sorts files in the place of a patient: the path is of another depth than the rule means.
            if any(one is not None and one.casefold() in STRUCTURE for one in (patient, sequence)):
                return None
            if patient is None and sequence is None:
                return None
            place = match.span("patient" if patient else "sequence")
            return NamedGroups(patient, sequence, _moved(place, tried, name))
        return None


@dataclass(frozen=True)
class FolderRule:
    """`P12/frame.png` or `P12/sequence/frame.png`; folders that sort files do not count.

    Attributes:
        depth: 1 or 2, how many folders above a frame count.
    """

    depth: int

    def read(self, name: str) -> NamedGroups | None:
        folders = [part for part in _parts(name)[:-1] if part.casefold() not in STRUCTURE]
        counted = folders[-self.depth :]
        like_patients = [bool(PATIENT_FOLDER.fullmatch(part)) for part in counted]
        if like_patients == [True, True]:  # the home of p1, or a sequence that is called like a patient
            return None
        if len(counted) == self.depth and like_patients[0]:
            sequence = counted[1] if self.depth > 1 else None
            return NamedGroups(counted[0], sequence, _only_part(counted[0], name))
        return _plain_patient(name)


@dataclass(frozen=True)
class StemRule:
    """`P12_S3_045.png` and the like: the form that the names of a data set have."""

    pattern: re.Pattern[str]

    def read(self, name: str) -> NamedGroups | None:
        last = _parts(name)[-1]
        stem = _without_suffix(last)
        match = self.pattern.fullmatch(stem)
        if match is None:
            return _plain_patient(name)
        groups = match.groupdict()
        return NamedGroups(groups["patient"], groups.get("sequence"), _moved(match.span("patient"), last, name))


@dataclass(frozen=True)
class LayoutRule:
    """File names of a published data set that state the patient."""

    layout: str

    def read(self, name: str) -> NamedGroups | None:
        last = _parts(name)[-1]
        for part in BY_NAME[self.layout].parts:
            match = part.images.match(last)
            if match is not None and match.groupdict().get("patient"):
                return NamedGroups(match["patient"], None, _moved(match.span("patient"), last, name))
        return None


def rule_of(
    read: Sequence[Record], grouped: Sequence[Record], rule: str | None, layout: str, by_column: bool
) -> NameRule:
    """The rule by which records were grouped.

    Args:
        read: the records as their reader left them.
        grouped: the same records after grouping.
        rule: the user's regular expression; None where none was given.
        by_column: whether a table grouped them.
    """
    if by_column:
        return NoRule()
    names = [record.name.partition("#")[0] for record in grouped]
    if rule is not None:
        depths = sorted({len(_parts(name)) for name in names}, reverse=True)
        suffixes = sorted({PurePosixPath(name).suffix for name in names} - {""})
        return PatternRule(re.compile(rule), tuple(depths), tuple(suffixes))
    if any(record.patient is not None or record.sequence is not None for record in read):
        stated = layout in BY_NAME and not any(record.from_header for record in read)
        return LayoutRule(layout) if stated else NoRule()
    if all(record.patient is None for record in grouped):
        return NoRule()
    stems = [_without_suffix(_parts(name)[-1]) for name in names]
    fitting = next((pattern for pattern in STEMS if all(map(pattern.fullmatch, stems))), None)
    by_folders = all(_only_part(str(record.patient), name) for record, name in zip(grouped, names, strict=True))
    if by_folders or fitting is None:
        return FolderRule(2 if any(record.sequence is not None for record in grouped) else 1)
    return StemRule(fitting)


def composed(text: str) -> str:
    """A name with composed letters and '/' between its parts, however its source writes them."""
    return unicodedata.normalize("NFC", text.replace("\\", "/"))


def _plain_patient(name: str) -> NamedGroups | None:
    """The patient of a name in another of the common forms: one folder, else the stem."""
    parts = _parts(name)
    folders = {part for part in parts[:-1] if PATIENT_FOLDER.fullmatch(part)}
    if len(folders) == 1:
        (only,) = folders
        return NamedGroups(only, None, _only_part(only, name))
    stem = _without_suffix(parts[-1])
    matches = [match for match in (pattern.fullmatch(stem) for pattern in STEMS) if match]
    if folders or not matches:
        return None
    return NamedGroups(matches[0]["patient"], None, _moved(matches[0].span("patient"), parts[-1], name))


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")] or [name]


def _without_suffix(text: str) -> str:
    return _SUFFIX.sub("", text)


def _only_part(part: str, name: str) -> tuple[int, int] | None:
    """The place of a folder that the path holds once."""
    starts = [match.start() + 1 for match in re.finditer(rf"/(?={re.escape(part)}/)", f"/{name}")]
    return (starts[0] - 1, starts[0] - 1 + len(part)) if len(starts) == 1 else None


def _moved(place: tuple[int, int], text: str, name: str) -> tuple[int, int] | None:
    """A place in the end of a name, as one in the whole name; the two may differ in the suffix."""
    body = _without_suffix(text)
    if place[1] > len(body) or not _without_suffix(name).endswith(body):
        return None
    offset = len(_without_suffix(name)) - len(body)
    return place[0] + offset, place[1] + offset


def path_ends(name: str) -> list[str]:
    """The ends of a path without the file's suffix, the shortest first: `003`, `S1/003`, `P12/S1/003`."""
    parts = _parts(name.partition("#")[0])
    parts[-1] = _without_suffix(parts[-1])
    return ["/".join(parts[-count:]) for count in range(1, len(parts) + 1)]
