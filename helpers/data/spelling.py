"""Names of patients that differ in spelling alone: P12, p12, P012, `P12 `, composed and decomposed letters.

Such names are one patient where it would be wrong to take them for two: in leakage checks, and as the unit of an
interval. Ids, exports and files keep what the source says.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_ZEROS = re.compile(r"(?<![0-9])(?<![0-9][.,])0+(?=[0-9])")  # not those of 1.05, which is not 1.5
_BLANKS_TO_DROP = re.compile(r"(?<=[^0-9\s]) (?=[0-9])|(?<=[0-9]) (?=[^0-9\s])")


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
            if patient in self.united:
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
    united = {}
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
        f"{ids} patient ids are spellings of {count} {'patient' if count == 1 else 'patients'} (capitals, zeros before "
        "a number, blanks, composed letters): in intervals and leakage checks each counts once; ids stay as they are"
    )
