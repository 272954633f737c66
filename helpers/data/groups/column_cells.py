"""Cells of a column of the CSV files beside a data set, by the file that a row is about."""

import re
from collections.abc import Sequence
from pathlib import Path

from helpers.core.errors import UsageProblem
from helpers.data.groups.csv_table import table_rows
from helpers.data.groups.grouping import matched_rows, name_column

_POSITION = re.compile(r"#[0-9]+$")  # of a frame in a file of several

Rows = list[dict[str, str]]


def readable_tables(folder: Path) -> list[tuple[Path, Rows]]:
    """The CSV files of a folder that have rows, in the order of their names; those in another encoding are left out."""
    tables = []
    for path in sorted(folder.glob("*.csv")):
        try:
            rows = table_rows(path)
        except UsageProblem:  # a table of something else
            continue
        if rows:
            tables.append((path, rows))
    return tables


def titles_of(rows: Rows) -> list[str]:
    """The titles of a table's columns, as they stand there."""
    return [title for title in rows[0] if title is not None]


def plain_title(title: str) -> str:
    """A column's title without what spellings differ in: capitals, and blanks at its ends."""
    return title.strip().casefold()


def cells_of(names: Sequence[str], rows: Rows, column: str) -> dict[str, str] | None:
    """Name of a file -> its cell, without blanks at its ends; files without a row, or with an empty cell, are left out.

    A row is about the file of its path, else of its file name, else of its stem, where only one is named so; a row of a
    file of several frames is about all of them. None where the table has no column of file names.

    Args:
        names: of all frames of the data set, relative paths, with the position behind a '#' in files of several.
        column: its title as it stands in the table.
    """
    named = name_column(rows, column)
    if named is None:
        return None
    once = list({(row[named], row.get(column)): row for row in rows}.values())
    found = matched_rows(names, once, named)
    files = {name: _POSITION.sub("", name) for name in names}
    of_files = matched_rows(list(dict.fromkeys(files.values())), once, named)
    found = {name: of_files[file] for name, file in files.items() if file in of_files} | found
    cells = {name: (found[name].get(column) or "").strip() for name in names if name in found}
    return {name: cell for name, cell in cells.items() if cell}
