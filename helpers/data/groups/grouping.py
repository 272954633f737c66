"""Which frames belong to one patient and one sequence: by the reader, by a rule of the user's, or by common layouts.

Two patients are never put together by a guess: where a layout leaves doubt, the groups stay unknown and a note says so.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from helpers.core.errors import UsageProblem
from helpers.core.shown_text import counted
from helpers.data.cases import NUMBER_DIGITS, NumberFrom, Record
from helpers.data.groups.csv_table import table_rows
from helpers.data.groups.time_order import STRUCTURE

_GROUPS = {"patient", "sequence", "frame"}
_COLUMN = "column:"
_NAME_COLUMNS = ("name", "file", "file_name", "filename", "image", "path")
PATIENT_COLUMNS = ("patient", "patient_id", "patientid", "subject", "subject_id")

# What a cell says that names no patient, without blanks and punctuation. Zero is left to those who count from it.
_NO_PATIENT = re.compile(r"|nan|na|nil|none|null|unknown|anonymous|anonymi[sz]ed|missing|notprovided|notavailable")
_SHORTENED = re.compile(r"\d+(?:[.,]\d+)?e\+?\d+", re.IGNORECASE)
# Only names that look like a patient's number are taken for patients: LAO, good or 2021 are folders as well.
_NUMBERED_PATIENT = r"(?:p|pat|patient|pt|subject|subj|sub)[-_]?\d+"
_PATIENT = rf"(?P<patient>{_NUMBERED_PATIENT})"
_PATIENT_OR_CASE = rf"(?P<patient>{_NUMBERED_PATIENT}|case[-_]?\d+)"
_SEQUENCE = r"(?:s|seq|sequence|series|run|cine)[-_]?\d+"
_FRAME = r"(?P<frame>(?:f|fr|frame|img|image)?[-_]?\d{1,5})"
_DATE = re.compile(r"(?<!\d)(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d(?!\d)|(?<!\d)[0-3]?\d[-_.][01]?\d[-_.](?:19|20)\d\d")
PATIENT_FOLDER = re.compile(_PATIENT_OR_CASE, re.IGNORECASE)
STEMS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_PATIENT_OR_CASE}[-_ ](?P<sequence>{_SEQUENCE})(?:[-_ ]{_FRAME})?",
        rf"{_PATIENT}[-_ ](?P<sequence>\d{{1,3}})[-_ ]{_FRAME}",
        rf"{_PATIENT}[-_ ]{_FRAME}",
    )
)

_UNKNOWN = (
    "each image is its own patient: no grouping found; name one with --group-by, a rule or a column of a CSV file"
)
# What an export puts behind the name of an image, of which it may write several altered copies.
_COPY = r"[_-](?:png|jpe?g|tiff?|bmp|webp)\.rf\.[0-9A-Za-z]{8,}"
_COPY_END = re.compile(_COPY + "$", re.IGNORECASE)
# Rules to suggest where they fit, the more telling ones first.
_SUGGESTED = (
    rf"(?P<patient>[^/]+){_COPY}\.[^./]+$",
    r"(?P<patient>[^/]+)/(?P<sequence>[^/]+)/[^/]+$",
    r"(?P<patient>[^/]+)/[^/]+$",
    rf"(?i)(?:^|/){_PATIENT_OR_CASE}[-_ ](?P<sequence>[^/]+)[-_ ](?P<frame>\d{{1,6}})\.[^./]+$",
    r"(?P<patient>[^/]+?)[-_ ](?P<sequence>\d+)[-_ ](?P<frame>\d{1,6})\.[^./]+$",
    r"(?P<patient>[^/]+?)[-_ ](?P<frame>\d{1,6})\.[^./]+$",
)


def group(records: Sequence[Record], rule: str | None, folder: Path) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Set patient, sequence and number of records.

    Args:
        rule: a regular expression with named groups out of `patient`, `sequence` and `frame`, searched in each
            record's name; or `column:NAME`, the column of patients of a CSV file in `folder`; None to find out.
        folder: of the data set.
    Returns:
        The records, in their order, and what was found, without names.
    Raises:
        UsageProblem: where the rule cannot be used, or does not fit every record.
    """
    records = tuple(records)
    if rule is not None:
        by_rule = _by_column if is_column(rule) else _by_pattern
        grouped = by_rule(records, rule, folder)
        return grouped, (f"grouping by the given rule: {_counts(grouped)}",)
    if any(record.patient is not None or record.sequence is not None for record in records):
        return records, (f"grouping as the layout states it: {_counts(records)}",)
    for where, found in (("folders", _by_folders(records)), ("file names", _by_stems(records))):
        if found is not None:
            return found, (f"grouping by {where}: {_counts(found)}; where that is wrong, name a rule with --group-by",)
    return records, (_UNKNOWN + (_suggested_column(folder) or _suggestion(records)),)


def _by_pattern(records: tuple[Record, ...], rule: str, folder: Path) -> tuple[Record, ...]:
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise UsageProblem(f"--group-by {rule}: expected a regular expression, {error}") from error
    given = set(pattern.groupindex)
    if not given or not given <= _GROUPS:
        raise UsageProblem(
            f"--group-by {rule}: expected named groups out of (?P<patient>...), (?P<sequence>...) and (?P<frame>...), "
            f"found {', '.join(sorted(given)) or 'none'}"
        )
    matches = [pattern.search(record.name) for record in records]
    lacking = [place for place, match in enumerate(matches, 1) if match is None]
    if lacking:
        raise UsageProblem(
            f"--group-by {rule}: expected a match in every name, found none in {len(lacking)} of {len(records)}, the "
            f"first at place {lacking[0]} in the order of names. Correct the expression"
        )
    pairs = zip(records, matches, strict=True)
    return tuple(_set(record, match.groupdict()) for record, match in pairs if match is not None)


def _slashed(name: str) -> str:
    """A path that Windows or macOS may have written, as it is written elsewhere: with '/', its letters composed."""
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def is_column(rule: str) -> bool:
    """Whether a rule names a column of a CSV file."""
    return rule.startswith(_COLUMN)


def table_names(rule: str, folder: Path) -> tuple[tuple[str, str | None, str | None], ...]:
    """File name, patient and sequence of every row of a CSV file, also of files that are not in the data set.

    Args:
        rule: `column:NAME`.
    Raises:
        UsageProblem: as `group`.
    """
    column = rule.removeprefix(_COLUMN)
    _, rows, named = _table(column, rule, folder)
    return tuple(
        (_slashed(row[named]), row.get(column) or None, row.get("sequence") or None) for row in rows if row[named]
    )


def _table(column: str, rule: str, folder: Path) -> tuple[Path, list[dict[str, str]], str]:
    """The CSV file of a data set with a column of patients, its rows, and its column of file names."""
    tables = [(path, table_rows(path)) for path in sorted(folder.glob("*.csv")) if path.is_file()]
    fitting = [(path, rows) for path, rows in tables if rows and column in rows[0]]
    if len(fitting) != 1:
        there = "; ".join(
            f"{path.name} has {', '.join(map(repr, rows[0])) if rows else 'no rows'}" for path, rows in tables
        )
        raise UsageProblem(
            f"--group-by {rule}: expected one CSV file in {folder} with the column {column!r}, found {len(fitting)}. "
            f"{there or 'No CSV file is there'}; a column whose title occurs twice does not count"
        )
    path, rows = fitting[0]
    named = name_column(rows, column)
    if named is None:
        raise UsageProblem(f"{path}: expected a column of file names ({', '.join(_NAME_COLUMNS)}), found none")
    return path, rows, named


def _by_column(records: tuple[Record, ...], rule: str, folder: Path) -> tuple[Record, ...]:
    column = rule.removeprefix(_COLUMN)
    _, rows, named = _table(column, rule, folder)
    found = matched_rows([record.name for record in records], rows, named)
    lacking = [place for place, record in enumerate(records, 1) if record.name not in found]
    if lacking:
        raise UsageProblem(
            f"--group-by {rule}: expected one row for every image, found none or several for {len(lacking)} of "
            f"{len(records)}, the first at place {lacking[0]} in the order of names. Complete the column {named!r}"
        )
    shortened = sum(bool(_SHORTENED.fullmatch((row.get(column) or "").strip())) for row in found.values())
    if shortened:
        raise UsageProblem(
            f"--group-by {rule}: expected patients, found {counted(shortened, 'number')} of the kind 1.2E+11, to "
            "which spreadsheets shorten long ones, so different patients look equal. Format the column as text, "
            "and save it again from its source"
        )
    groups = {"patient": column, "sequence": "sequence", "frame": "frame"}
    cells = ({name: found[record.name].get(key) for name, key in groups.items()} for record in records)
    return tuple(_set(record, cell) for record, cell in zip(records, cells, strict=True))


def _names_nobody(text: str | None) -> bool:
    return text is not None and bool(_NO_PATIENT.fullmatch(re.sub(r"[\W_]+", "", text.casefold())))


def name_column(rows: Sequence[Mapping[str, str]], column: str) -> str | None:
    """The column of file names in a table, in either case, other than `column`; None where there is none."""
    titles = {name.strip().casefold(): name for name in rows[0] if name is not None and name != column}
    return next((titles[name] for name in _NAME_COLUMNS if name in titles), None)


def matched_rows(names: Sequence[str], rows: Sequence[dict[str, str]], named: str) -> dict[str, dict[str, str]]:
    """Name of a file -> its row, by the path, else the file's name, else its stem, where it is the only one so.

    Args:
        names: relative paths.
        named: column of the rows' own names.
    """
    ways: tuple[Callable[[str], str], ...] = (
        _slashed,
        lambda name: PurePosixPath(_slashed(name)).name,
        lambda name: PurePosixPath(_slashed(name)).stem,
    )
    found: dict[str, dict[str, str]] = {}
    for way in ways:
        counts = Counter(way(row[named] or "") for row in rows)
        unique = Counter(map(way, names))
        by_name = {way(row[named] or ""): row for row in rows}
        for own in names:
            name = way(own)
            if own not in found and counts[name] == 1 and unique[name] == 1:
                found[own] = by_name[name]
    return found


def _set(record: Record, found: dict[str, str | None], number_from: NumberFrom = NumberFrom.RULE) -> Record:
    """A record with what was found; an empty text, or a word for nobody, means unknown, and what is not found stays."""
    number = record.number
    if frame := found.get("frame"):
        number = _ending(frame)
        if number is None:
            raise UsageProblem(
                f"--group-by: expected a frame that ends in a number of at most {NUMBER_DIGITS} digits, found another "
                "text. Correct it, or leave the frame out: frames are then taken in the natural order of their names"
            )
    return replace(
        record,
        patient=(None if _names_nobody(found.get("patient")) else found.get("patient")) or record.patient,
        sequence=found.get("sequence") or record.sequence,
        number=number,
        number_from=number_from if found.get("frame") else record.number_from,
        from_header=record.from_header - {kind for kind, text in found.items() if text},
    )


def _by_folders(records: tuple[Record, ...]) -> tuple[Record, ...] | None:
    """Patient and sequence from folders `patient/sequence/frame.png`, or the patient from `P12/frame.png`."""
    folders = [
        tuple(part for part in PurePosixPath(record.name).parts[:-1] if part.casefold() not in STRUCTURE)
        for record in records
    ]
    depths = {len(parts) for parts in folders}
    if depths not in ({1}, {2}) or not all(PATIENT_FOLDER.fullmatch(parts[0]) for parts in folders):
        return None
    return tuple(
        replace(
            record,
            patient=parts[0],
            sequence=parts[1] if len(parts) > 1 else None,
            number=_trailing_number(record),
            number_from=NumberFrom.NAME if record.number is None else record.number_from,
        )
        for record, parts in zip(records, folders, strict=True)
    )


def _by_stems(records: tuple[Record, ...]) -> tuple[Record, ...] | None:
    """Patient, sequence and frame from names such as `P12_S3_045.png`; None unless one form fits all of them."""
    stems = [_COPY_END.sub("", PurePosixPath(record.name).stem) for record in records]
    if any(_DATE.search(stem) for stem in stems):
        return None
    for pattern in STEMS:
        matches = [match for stem in stems if (match := pattern.fullmatch(stem))]
        if len(matches) == len(stems):
            return tuple(
                _set(record, match.groupdict(), NumberFrom.LAYOUT)
                for record, match in zip(records, matches, strict=True)
            )
    return None


def source_stem(name: str) -> str | None:
    """The stem of the image that a file is an altered copy of, by what an export put behind it; None for others."""
    stem = PurePosixPath(name).stem
    return _COPY_END.sub("", stem) if _COPY_END.search(stem) else None


def _suggestion(records: tuple[Record, ...]) -> str:
    """A rule that fits these very names and puts some of them together, and what it gives; '' where there is none."""
    for rule in _SUGGESTED:
        matches = [match for record in records if (match := re.search(rule, record.name))]
        if len(matches) < len(records):
            continue
        patients = {match["patient"] for match in matches}
        if 1 < len(patients) < len(records) and not any(name.casefold() in STRUCTURE for name in patients):
            grouped = tuple(_set(record, match.groupdict()) for record, match in zip(records, matches, strict=True))
            return f"; were they patients, --group-by '{rule}' would give {_counts(grouped)}"
    return ""


def _suggested_column(folder: Path) -> str:
    """The column of patients of the one CSV file in the folder that has one and names of files; '' without it."""
    patient_columns = []
    for path in sorted(folder.glob("*.csv")):
        try:
            columns = list(table_rows(path)[0])
        except (UsageProblem, IndexError):  # the table may be about something else
            continue
        if any(name in columns for name in _NAME_COLUMNS):
            patient_columns += [name for name in columns if str(name).casefold() in PATIENT_COLUMNS]
    return (
        f"; a CSV file beside the data names patients: --group-by column:{patient_columns[0]}"
        if len(patient_columns) == 1
        else ""
    )


def _trailing_number(record: Record) -> int | None:
    return _ending(PurePosixPath(record.name).stem) if record.number is None else record.number


def _ending(text: str) -> int | None:
    """The number that a text ends in; None where there is none, or one too long to be a frame's."""
    digits = re.search(rf"(?<!\d)\d{{1,{NUMBER_DIGITS}}}$", text)
    return None if digits is None else int(digits[0])


def _counts(records: tuple[Record, ...]) -> str:
    patients = {record.patient for record in records if record.patient is not None}
    sequences = {(record.patient, record.sequence) for record in records if record.sequence is not None}
    unknown = sum(record.patient is None for record in records)
    said = ", ".join(map(counted, (len(patients), len(sequences), len(records)), ("patient", "sequence", "frame")))
    return f"{said}, {unknown} of unknown patient" if unknown else said
