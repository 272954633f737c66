"""From how many centres cases come, where a column of the data says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.data.groups.column_cells import cells_of, plain_title, readable_tables, titles_of

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
    for _, rows in readable_tables(folder):
        titles = {plain_title(title): title for title in titles_of(rows)}
        column = next((titles[name] for name in COLUMNS if name in titles), None)
        cells = None if column is None else cells_of(names, rows, column)
        if column is not None and cells is not None:
            tables.append((column, cells))
    if not tables:
        return None
    column, cells = tables[0]
    whole = len(tables) == 1 and len(cells) == len(names)
    return Centres(column, len({cell.casefold() for cell in cells.values()}) if whole else None)
