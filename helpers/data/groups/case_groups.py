"""The group of each case, by a column of a CSV file beside the data or by DICOM headers, for scores by group.

A group is a word that several patients share. What names somebody is refused, and no message repeats a value.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from helpers.core.errors import UsageProblem
from helpers.core.shown_text import counted, printable
from helpers.data.dataset import Dataset
from helpers.data.groups.column_cells import Rows, cells_of, plain_title, readable_tables, titles_of
from helpers.data.groups.grouping import PATIENT_COLUMNS, name_column
from helpers.data.groups.header_words import KEYWORDS, HeaderWord, header_group
from helpers.data.groups.name_parts import folded
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.ids.privacy import name_signs, tells_of_a_person

MOST_GROUPS = 12
UNKNOWN = "unknown"
"""How the group of cases without a value is shown."""
_LONGEST = 60  # letters of a group
_TELLING = 6  # letters of a patient's name that do not occur within a word by chance
_COLUMN, _DICOM = "column:", "dicom:"
_WORDS = " or ".join(HeaderWord)


class GroupSource(StrEnum):
    """What says of which group a case is."""

    CSV = "csv"
    DICOM = "dicom"


@dataclass(frozen=True)
class CaseGroups:
    """Of which group each case is.

    Attributes:
        column: title of the column, or the word for headers.
        by_case: case id -> group; None where nothing says.
    """

    column: str
    source: GroupSource
    by_case: Mapping[str, str | None] = field(repr=False)


def case_groups(dataset: Dataset, column: str) -> CaseGroups:
    """The group of each case of an opened data set.

    Args:
        column: title of a column of a CSV file in the data set's folder that names files too, in either case; or `view`
            or `vendor` of DICOM headers. `column:NAME` and `dicom:NAME` decide where both are there.
    Raises:
        UsageProblem: where nothing is called so, tables contradict each other, no case has a value, there are more than
            `MOST_GROUPS`, or values look like names of patients.
    """
    tables = readable_tables(dataset.root)
    title = column.removeprefix(_COLUMN) if column.startswith(_COLUMN) else column
    fitting = [] if column.startswith(_DICOM) else list(_fitting(tables, title))
    word = None if column.startswith(_COLUMN) else _word(column.removeprefix(_DICOM))
    if word is not None and fitting:
        raise UsageProblem(
            f"--groups {column}: expected one meaning, found a column of that name in {fitting[0][0]} beside what "
            f"DICOM headers say. Give {_COLUMN}{column} for the column or {_DICOM}{word} for the headers"
        )
    if word is not None:
        source, shown, values = GroupSource.DICOM, str(word), _by_headers(dataset, word)
        lacking = f"{' and '.join(KEYWORDS[word])} in some DICOM header"
    elif fitting:
        source, shown, values = GroupSource.CSV, _one_line(fitting[0][2]), _by_tables(dataset, column, fitting)
        lacking = f"a cell for some file in that column of {fitting[0][0]}"
    else:
        raise UsageProblem(
            f"--groups {column}: expected {_WORDS} of DICOM headers, or a column of a CSV file in {dataset.root} that "
            f"names files too. {_listed(tables)}"
        )
    by_case = _united({case.case_id: _one_line(values.get(case.case_id, "")) for case in dataset.cases})
    if not any(by_case.values()):
        raise UsageProblem(f"--groups {column}: expected {lacking}, found none for {counted(len(by_case), 'case')}")
    _require_groups(dataset, column, by_case, tables)
    if source is GroupSource.CSV:
        _require_shared(dataset, column, by_case)
    return CaseGroups(shown, source, by_case)


def _word(text: str) -> HeaderWord | None:
    return next((word for word in HeaderWord if plain_title(text) == word), None)


def _fitting(tables: Sequence[tuple[Path, Rows]], title: str) -> Iterator[tuple[Path, Rows, str]]:
    """The tables with such a column beside one of file names, and how it is spelled there; one entry for each."""
    for path, rows in tables:
        for own in titles_of(rows):
            if plain_title(own) == plain_title(title) != "" and name_column(rows, own) is not None:
                yield path, rows, own


def _listed(tables: Sequence[tuple[Path, Rows]]) -> str:
    said = []
    for path, rows in tables:
        columns = [title for title in titles_of(rows) if name_column(rows, title) is not None]
        said.append(f"{path.name} has {', '.join(map(repr, columns))}" if columns else f"{path.name} names no files")
    return "; ".join(said) or "No CSV file is there"


def _by_headers(dataset: Dataset, word: HeaderWord) -> dict[str, str]:
    paths = {case.frame.path for case in dataset.cases}
    found = {path: group for path in paths if (group := header_group(path, word)) is not None}
    return {case.case_id: found[case.frame.path] for case in dataset.cases if case.frame.path in found}


def _by_tables(dataset: Dataset, column: str, fitting: Sequence[tuple[Path, Rows, str]]) -> dict[str, str]:
    """Case id -> what the tables say; UsageProblem where they, or two rows of one of them, say two things."""
    files = {case_id: known.name for case_id, known in dataset.people.by_case.items()}
    said: dict[str, dict[str, str]] = defaultdict(dict)  # of a file: what spellings do not differ in -> a spelling
    for path, rows, own in fitting:
        named = name_column(rows, own) or ""
        of_rows: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            of_rows[row[named] or ""].add(_folded(row.get(own) or ""))
        twice = sum(len(values) > 1 for name, values in of_rows.items() if name.strip())
        if twice:
            raise UsageProblem(
                f"--groups {column}: {path}: expected one value for each file, found several for "
                f"{counted(twice, 'file')}. Correct the table"
            )
        for name, cell in (cells_of(list(files.values()), rows, own) or {}).items():
            said[name].setdefault(_folded(cell), cell)
    doubtful = [case_id for case_id, name in files.items() if len(said[name]) > 1]
    if doubtful:
        tables = ", ".join(dict.fromkeys(path.name for path, _, _ in fitting))
        raise UsageProblem(
            f"--groups {column}: expected one value for each case, found several for {counted(len(doubtful), 'case')}, "
            f"the first {doubtful[0]}, in {tables} of {dataset.root}. Correct the tables"
        )
    return {case_id: next(iter(said[name].values())) for case_id, name in files.items() if said[name]}


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _folded(text: str) -> str:
    return _one_line(text).casefold()


def _united(values: Mapping[str, str]) -> dict[str, str | None]:
    """Values that differ in capitals alone become one, the first in the alphabet; None for none, and for `unknown`."""
    spelled: dict[str, str | None] = {"": None, UNKNOWN: None}
    for value in sorted(set(values.values())):
        spelled.setdefault(value.casefold(), value)
    return {case_id: spelled[value.casefold()] for case_id, value in values.items()}


def _require_groups(
    dataset: Dataset, column: str, by_case: Mapping[str, str | None], tables: Sequence[tuple[Path, Rows]]
) -> None:
    """Raise UsageProblem for values that are too many or too long, or look like somebody's name."""
    groups = {group for group in by_case.values() if group is not None}
    if len(groups) > MOST_GROUPS:
        raise UsageProblem(
            f"--groups {column}: expected at most {MOST_GROUPS} different values, found {len(groups)}. "
            "Combine them in a column of few groups"
        )
    if any(len(group) > _LONGEST for group in groups):
        raise UsageProblem(
            f"--groups {column}: expected values of at most {_LONGEST} letters, found a longer one. Name groups by "
            "a word"
        )
    if dataset.ids is IdPolicy.PUBLIC:
        return
    telling = [group for group in groups if tells_of_a_person(group)]
    if telling or _names_somebody(dataset, groups, tables):
        raise UsageProblem(
            f"--groups {column}: expected words that name nobody, found a date, a long number, a mail address, or the "
            "name of a patient or file among its values, which results would show. Give another column, or plain words"
        )


def _names_somebody(dataset: Dataset, groups: set[str], tables: Sequence[tuple[Path, Rows]]) -> bool:
    """Whether a group is, or holds, a patient's original name; or is a file's, where pseudonyms hide these.

    Where patients are not known, names are those of a column of patients, and of folders that look like a person's.
    """
    people = dataset.people
    paths = [PurePosixPath(one.name.partition("#")[0]) for one in people.known]
    names = [*people.ids, *(one.patient or "" for one in people.known)]
    names += [part for path in paths for part in path.parts[:-1] if name_signs(part)]
    for _, rows in tables:
        titles = [title for title in titles_of(rows) if plain_title(title) in PATIENT_COLUMNS]
        names += [row.get(title) or "" for row in rows for title in titles]
    patients = set(map(folded, names)) - {""}
    hidden = set(patients)
    if dataset.ids is IdPolicy.PSEUDONYM:
        hidden |= {folded(text) for path in paths for text in (path.name, path.stem)}
    long = [re.escape(name) for name in patients if len(name) >= _TELLING]
    within = re.compile(rf"(?<!\w)(?:{'|'.join(long)})(?!\w)") if long else None
    return any(
        folded(group) in hidden or (within is not None and within.search(folded(group)) is not None) for group in groups
    )


def _require_shared(dataset: Dataset, column: str, by_case: Mapping[str, str | None]) -> None:
    """Raise UsageProblem where no value is shared by patients, or by sequences or cases where these are unknown."""
    frames = [case.frame for case in dataset.cases]
    unit = next((name for name in ("patient", "sequence") if all(getattr(frame, name) for frame in frames)), "case_id")
    holders: dict[str, set[str]] = defaultdict(set)
    for frame in frames:
        group = by_case[frame.case_id]
        if group is not None:
            own = getattr(frame, unit)
            holders[group].add(dataset.people.spellings.united.get(own, own) if unit == "patient" else own)
    if len(set().union(*holders.values())) > 1 and all(len(units) == 1 for units in holders.values()):
        noun = "case" if unit == "case_id" else unit
        raise UsageProblem(
            f"--groups {column}: expected values that several {noun}s share, found values of one {noun} each: they may "
            "name it, and its own scores say as much. Give a column of groups"
        )
