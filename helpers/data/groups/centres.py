"""From how many centres cases come, where a column of the data says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.core.errors import UsageProblem
from helpers.data.groups.grouping import matched_rows, name_column, table_rows

# Not `site`, which may be of the body.
COLUMNS = ("centre", "center", "hospital", "institution")


@dataclass(frozen=True)
class Centres:
    """What a column says.

    Attributes:
        column: its name; the first one where several tables have one.
        number: of different centres; None where some case has none, or several tables say something.
    """

    column: str
    number: int | None


def centres_of(names: Sequence[str], folder: Path) -> Centres | None:
    """The centres of files by the CSV file of a folder with a column of centres, in either case; None without one.

    Args:
        names: of the files, relative to the folder, each once.
        folder: of the data set.
    """
    tables = []
    for path in sorted(folder.glob("*.csv")):
        try:
            rows = table_rows(path)
        except UsageProblem:  # a table of something else, in another encoding
            continue
        titles = {name.strip().casefold(): name for name in (rows[0] if rows else {}) if name is not None}
        column = next((titles[name] for name in COLUMNS if name in titles), None)
        if column is not None and name_column(rows, column) is not None:
            tables.append((rows, column))
    if not tables:
        return None
    rows, column = tables[0]
    if len(tables) > 1:
        return Centres(column, None)
    found = matched_rows(names, rows, name_column(rows, column) or "")
    values = [(found[name].get(column) or "").strip() if name in found else "" for name in names]
    return Centres(column, len({value.casefold() for value in values}) if all(values) else None)
