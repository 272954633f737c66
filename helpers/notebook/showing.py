"""Sentences, tables and pictures in a notebook's output."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import count
from pathlib import Path

import pandas as pd
from IPython.display import Image, display
from matplotlib.figure import Figure

from helpers.core.watermark import stamp_text
from helpers.review.figures.figure_file import png_bytes, save_figure
from helpers.review.figures.style import description

_MOST_ROWS, _KEPT_ROWS = 200, 10
_GAP = "..."


def show_tables(*tables: pd.DataFrame) -> None:
    """Display tables whole, without row numbers: no text cut, missing values blank.

    Of more than 200 rows the first and last ten stand there, and a row between them says that there are more.
    """
    stamp = stamp_text()
    for table in tables:
        shown = _shortened(table.astype(object).where(table.notna(), ""))
        with pd.option_context("display.max_colwidth", None, "display.html.use_mathjax", False):
            html = _left(shown.to_html(index=False, notebook=True), _texts(shown))
            text = shown.to_string(index=False)
        if stamp is not None:
            html, text = f"<p><em>{escape(stamp)}</em></p>\n{html}", f"{stamp}\n{text}"
        display({"text/html": html, "text/plain": text}, raw=True)


def show_headline(sentence: str, warnings: Sequence[str] = ()) -> None:
    """Display a sentence in large letters, and below it what must be known before it is believed."""
    stamp = stamp_text()
    said = [f"WARNING: {one}" for one in warnings]
    html = f'<p style="font-size: 1.4em; line-height: 1.4"><strong>{escape(sentence)}</strong></p>'
    if said:
        html += f"\n<ul>{''.join(f'<li>{escape(one)}</li>' for one in said)}</ul>"
    lines = [sentence, *said]
    if stamp is not None:
        html, lines = f"<p><em>{escape(stamp)}</em></p>\n{html}", [stamp, *lines]
    display({"text/html": html, "text/plain": "\n".join(lines)}, raw=True)


def show_figure(figure: Figure) -> None:
    """Display a figure as a PNG whose alternative text says what is seen."""
    display(Image(png_bytes(figure), alt=description(figure)))


def show_and_save(figures: Mapping[str, Figure], folder: Path) -> None:
    """Save each figure under its name in a folder, as PNG and SVG, and display it as `show_figure`.

    Raises:
        VesselkitError: where the folder cannot be written.
    """
    for name, figure in figures.items():
        save_figure(figure, folder, name)
        show_figure(figure)


def show_picture(path: Path, seen: str) -> None:
    """Display a picture from a file; `seen` is its alternative text."""
    display(Image(filename=path, alt=seen))


def _texts(table: pd.DataFrame) -> set[int]:
    """The places of columns that hold texts, and not numbers alone."""
    return {
        place
        for place in range(table.shape[1])
        if any(isinstance(value, str) and value not in ("", _GAP) for value in table.iloc[:, place])
    }


def _left(html: str, columns: set[int]) -> str:
    """A table as pandas writes it, with columns of texts begun at the left; Jupyter puts all at the right."""
    wide, places = html.count("<th>"), count()
    cell = re.compile(r"<t([hd])>")  # what cells hold is escaped
    return cell.sub(
        lambda found: f'<t{found[1]} style="text-align: left">' if next(places) % wide in columns else found[0], html
    )


def _shortened(table: pd.DataFrame) -> pd.DataFrame:
    if len(table) <= _MOST_ROWS:
        return table
    gap = pd.DataFrame([[_GAP] * len(table.columns)], columns=table.columns)
    return pd.concat([table.head(_KEPT_ROWS), gap, table.tail(_KEPT_ROWS)])
