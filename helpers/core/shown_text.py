"""Texts as they are shown, each safe there: sizes, values and tables, in terminals, documents and spreadsheets."""

from collections.abc import Iterable, Sequence

# A spreadsheet runs a cell that starts with one of these as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")

_UNITS = ("B", "kB", "MB", "GB", "TB")


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


def counted(number: int, noun: str) -> str:
    """A number with its noun, which takes an s but for one: 1 and 'case' -> '1 case', 2 -> '2 cases'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def agreeing(number: int, one: str, several: str) -> str:
    """The word that goes with a number: 1, 'is' and 'are' -> 'is', 2 -> 'are'."""
    return one if number == 1 else several


def bytes_text(size: int) -> str:
    """A size in decimal units, three significant digits: 1_234_567 -> '1.23 MB'."""
    value = float(size)
    unit = 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{size} B" if unit == 0 else f"{value:.3g} {_UNITS[unit]}"


def shown(value: object) -> str:
    """A value in one line: 'unknown' for None, a list joined by blanks."""
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return " ".join(str(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else printable(str(value))


def printable(text: str) -> str:
    """The text without control characters: a file's text must not steer the terminal. Line ends and tabs stay."""
    return "".join(mark if mark.isprintable() or mark in "\n\t" else "?" for mark in text)
