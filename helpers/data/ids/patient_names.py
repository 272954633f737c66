"""Original names behind the ids of a whole data set, whichever split of it was opened. They stay on this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from helpers.data.cases import Record
from helpers.data.groups.grouping import is_column, table_names
from helpers.data.groups.name_parts import Spellings, spellings
from helpers.data.groups.name_rules import NameRule, NoRule, rule_of
from helpers.data.ids.case_ids import IdPolicy, Names
from helpers.data.ids.id_map import map_path, read_map


@dataclass(frozen=True)
class KnownName:
    """One file of a data set, or one that a table beside it names.

    Attributes:
        name: relative path, with the position behind a '#' for a file of several frames.
        path: where the file is, or would be.
        patient, sequence: original names; None where unknown.
        case_id: None for a file that only the table names.
    """

    name: str = field(repr=False)
    path: Path = field(repr=False)
    patient: str | None = field(default=None, repr=False)
    sequence: str | None = field(default=None, repr=False)
    case_id: str | None = None


@dataclass(frozen=True)
class PatientNames:
    """Whose files the names of a data set are.

    Attributes:
        known: every file, of all splits.
        rule: that the data set was grouped by.
        ids: a patient's original name -> id, of the data set and of others whose ids were drawn under its key.
        key_path: of the key that case ids are drawn under; None where nobody named or made one.
    """

    known: tuple[KnownName, ...] = field(default=(), repr=False)
    rule: NameRule = field(default_factory=NoRule, repr=False)
    ids: Mapping[str, str] = field(default_factory=dict, repr=False)
    key_path: Path | None = field(default=None, repr=False)

    @cached_property
    def spellings(self) -> Spellings:
        """Which ids are one patient under several spellings; a group counts under an id of this data set."""
        own = {one.patient for one in self.known if one.patient is not None}
        return spellings(self.ids, [given for name, given in self.ids.items() if name in own])

    @cached_property
    def by_case(self) -> Mapping[str, KnownName]:
        """Case id -> its file."""
        return {one.case_id: one for one in self.known if one.case_id is not None}


def patient_names(
    read: Sequence[Record],
    grouped: Sequence[Record],
    given: Sequence[Names],
    *,
    layout: str,
    rule: str | None,
    root: Path,
    policy: IdPolicy,
    key_path: Path,
) -> PatientNames:
    """What is known of the patients of a data set.

    Args:
        read, grouped: its records before and after grouping.
        given: their ids.
        rule: as in `helpers.data.groups.grouping.group`.
        key_path: of the key of its ids; it need not exist where names are kept.
    """
    known = [
        KnownName(record.name, record.path, record.patient, record.sequence, names.case_id)
        for record, names in zip(grouped, given, strict=True)
    ]
    by_column = rule is not None and is_column(rule)
    if rule is not None and by_column:
        stems = {PurePosixPath(one.name).stem for one in known}
        known += [
            KnownName(name, root / name, patient, sequence)
            for name, patient, sequence in table_names(rule, root)
            if PurePosixPath(name).stem not in stems
        ]
    ids = {
        record.patient: names.patient
        for record, names in zip(grouped, given, strict=True)
        if record.patient is not None and names.patient is not None
    }
    if policy is IdPolicy.PSEUDONYM and map_path(key_path).is_file():
        ids = {**read_map(map_path(key_path)).taken.patients, **ids}
    return PatientNames(tuple(known), rule_of(read, grouped, rule, layout, by_column), ids, key_path)
