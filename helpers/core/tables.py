"""Texts in tables: those that people open in a spreadsheet, tables of documents, and tables for a terminal."""

from collections.abc import Iterable, Sequence

# A spreadsheet runs a cell that starts with one of these as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")


def safe_text(text: str) -> str:
    """`text`, with an apostrophe in front where a spreadsheet would run it as a formula.

    Carriage returns become line feeds: Python's csv leaves them unquoted, and a row would end there.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of a document; the cells may hold Markdown."""
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [head, ["---"] * len(head), *escaped]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def aligned(rows: Sequence[Sequence[str]], header: bool = False) -> str:
    """Columns aligned by blanks; with `header`, a rule under the first row."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if header:
        lines.insert(1, "  ".join("-" * width for width in widths).rstrip())
    return "\n".join(lines)
