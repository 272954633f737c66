"""Parts and spellings of names that can be compared without knowing the names.

A part is a run of letters and numbers at its place in a name of some shape. Two names of one shape have a patient's
text at the same place, so that equal parts there mean one patient, and other parts another.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from helpers.core.shown_text import counted
from helpers.data.groups.name_rules import path_ends
from helpers.data.groups.time_order import STRUCTURE

_ZEROS = re.compile(r"(?<![0-9])(?<![0-9][.,])0+(?=[0-9])")  # not those of 1.05, which is not 1.5
_BLANKS_TO_DROP = re.compile(r"(?<=[^0-9\s]) (?=[0-9])|(?<=[0-9]) (?=[^0-9\s])")
_TOKEN = re.compile(r"[0-9]+|[^\W\d_]+|[\W_]|\d")
_NUMBER = re.compile(r"[0-9]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_DEEPEST = 6  # parts of a path, from its end, that are looked at
_LONGEST = 40  # tokens of a part: longer ones are digests and the like


@dataclass(frozen=True)
class NamePlace:
    """Where a text stands in names of one shape.

    Attributes:
        shape: of the part of the path that holds it and of all parts after it.
        first, last: tokens of that part.
    """

    shape: str
    first: int
    last: int

    def part(self, text: str) -> str:
        """The text, folded, at this place."""
        return f"part\0{self.shape}\0{self.first}\0{self.last}\0{folded(text)}"

    def form(self, text: str) -> str:
        """The text's form at this place: its letters, with 0 for each number."""
        return f"form\0{self.shape}\0{self.first}\0{self.last}\0{_NUMBER.sub('0', folded(text))}"

    @property
    def shaped(self) -> str:
        """That a name has this shape."""
        return f"shape\0{self.shape}"


def place_in(name: str, span: tuple[int, int]) -> NamePlace | None:
    """The place of a text in a name; None where it begins or ends within a number or a word.

    Args:
        name: a path with '/' between its parts.
        span: first and last position of the text, which lies in one part of the path.
    """
    before, text, after = name[: span[0]], name[slice(*span)], name[span[1] :]
    depth = after.count("/") + 1
    ends = path_ends(name)
    if "/" in text or not text.strip() or depth > min(_DEEPEST, len(ends)):
        return None
    end = ends[depth - 1]
    tokens = _tokens(end.partition("/")[0])
    first = len(_tokens(before.rpartition("/")[2]))
    last = first + len(_tokens(text))
    if "".join(tokens[first:last]) != folded(text):
        return None
    return NamePlace(_shape(end), first, last)


def parts_of(name: str) -> Iterator[tuple[str, str, str]]:
    """Every run of tokens of a name, at its place: the part, its form, and the name's shape from there."""
    for end in path_ends(name)[:_DEEPEST]:
        component, shape = end.partition("/")[0], _shape(end)
        tokens = _tokens(component)
        if component.casefold() in STRUCTURE or len(tokens) > _LONGEST:
            continue
        for first in range(len(tokens)):
            for last in range(first + 1, len(tokens) + 1):
                text = "".join(tokens[first:last])
                if not _is_separator(tokens[first]) and not _is_separator(tokens[last - 1]):
                    place = NamePlace(shape, first, last)
                    yield place.part(text), place.form(text), place.shaped


def words_of(name: str) -> Iterator[str]:
    """Beginnings of a path's parts that look like somebody's number, wherever they stand: of letters and digits."""
    for end in path_ends(name):
        tokens = _tokens(end.partition("/")[0])
        for last in range(1, len(tokens) + 1):
            if last == len(tokens) or _is_separator(tokens[last]):
                inner = word("".join(tokens[:last]))
                if inner is not None:
                    yield inner


def word(text: str) -> str | None:
    """A patient's text as a word; None for one that could as well be a frame's number or any folder."""
    plain = folded(text)
    return f"word\0{plain}" if _NUMBER.search(plain) and _LETTERS.search(plain) else None


def _tokens(text: str) -> Sequence[str]:
    return _TOKEN.findall(folded(text))


def _shape(end: str) -> str:
    """A path's shape: 0 for a number, a for a word; folders that sort files do not count."""
    kept = [part for part in end.split("/") if part.casefold() not in STRUCTURE]
    return "/".join(_LETTERS.sub("a", _NUMBER.sub("0", folded(part))) for part in kept)


def _is_separator(token: str) -> bool:
    return not (_NUMBER.fullmatch(token) or _LETTERS.fullmatch(token))


def folded(name: str) -> str:
    """The name without what spellings differ in; two names of one patient are equal then.

    Capitals become small, letters composed; blanks at the ends and between a letter and a number go, several become
    one; so do zeros before a number. Everything else tells names apart: P1-2 is not P12, `1 2` not 12, 12a not 12b.
    """
    visible = "".join(sign for sign in name if unicodedata.category(sign) != "Cf")
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFD", visible).casefold())
    return _ZEROS.sub("", _BLANKS_TO_DROP.sub("", " ".join(plain.split())))


@dataclass(frozen=True)
class Spellings:
    """Which ids of patients are one patient.

    Attributes:
        united: id -> the id under which it counts, of every id that is not alone; each counts under one of its group.
    """

    united: Mapping[str, str] = field(default_factory=dict)

    def of(self, patient: str | None) -> str | None:
        """The id under which a patient counts; its own where no other spelling is known."""
        return None if patient is None else self.united.get(patient, patient)

    def among(self, patients: Iterable[str | None]) -> tuple[int, int]:
        """How many of these ids are spellings of a patient that has several of them, and how many patients that is."""
        groups: dict[str, set[str]] = defaultdict(set)
        for patient in patients:
            if patient is not None and patient in self.united:
                groups[self.united[patient]].add(patient)
        several = [ids for ids in groups.values() if len(ids) > 1]
        return sum(map(len, several)), len(several)


def spellings(named: Mapping[str, str], first: Iterable[str] = ()) -> Spellings:
    """Find the ids whose names differ in spelling alone.

    Args:
        named: a patient's original name -> its id.
        first: ids that a group counts under before others, such as those of the data set that was opened.
    """
    preferred = set(first)
    groups: dict[str, set[str]] = defaultdict(set)
    for name, given in named.items():
        groups[folded(name)].add(given)
    united: dict[str, str] = {}
    for ids in groups.values():
        if len(ids) > 1:
            chosen = min(ids, key=lambda one: (one not in preferred, one))
            united |= dict.fromkeys(ids, chosen)
    return Spellings(united)


def spellings_text(found: Spellings, patients: Iterable[str | None]) -> str | None:
    """What must be said of united patients among these ids, without names; None where none is united."""
    ids, count = found.among(patients)
    if not ids:
        return None
    return (
        f"{counted(ids, 'patient id')} are spellings of {counted(count, 'patient')} (capitals, zeros before a "
        "number, blanks, composed letters): in intervals and leakage checks each counts once; ids stay as they are"
    )
