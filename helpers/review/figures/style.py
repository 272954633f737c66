"""Common style of an evaluation's figures: a look for each run, words for numbers, and alternative texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from helpers.core.shown_text import counted
from helpers.evaluation.score_table import SampleSizes
from helpers.metrics.intervals import FEWEST_FOR_INTERVAL, FEWEST_UNITS

_MOST_LETTERS = 600
_MOST_NAMES = 12
DPI = 110
# Of Okabe and Ito, apart in all common forms of colour blindness; markers and dashes tell runs apart without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"
_DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class RunStyle:
    """How a run is drawn in every figure."""

    colour: str
    marker: str
    dashes: str


def look(index: int) -> RunStyle:
    """The look of the run at `index` of a list of runs; looks repeat after many."""
    return RunStyle(COLOURS[index % len(COLOURS)], _MARKERS[index % len(_MARKERS)], _DASHES[index % len(_DASHES)])


def sizes_text(sizes: SampleSizes) -> str:
    """`12 cases, 4 sequences, 2 patients`; what is not known of every case is said to be unknown."""
    parts = [counted(sizes.cases, "case")]
    for number, noun in ((sizes.sequences, "sequence"), (sizes.patients, "patient")):
        parts.append(f"{noun}s unknown" if number is None else counted(number, noun))
    return ", ".join(parts)


def sizes_of(summary: pd.DataFrame) -> SampleSizes:
    """The sizes that a table of `helpers.evaluation.score_table.summary` states in each row."""
    first = summary.iloc[0]
    known = [None if pd.isna(first[name]) else int(first[name]) for name in ("n_sequences", "n_patients")]
    return SampleSizes(int(first["n_cases"]), *known)


def caution(units: int, unit: str, independent: bool) -> str:
    """What a mean over `units` of a kind does not say; empty where nothing is to be added."""
    words = []
    if units < FEWEST_FOR_INTERVAL:
        words.append(f"each {unit}'s mean and no interval: {counted(units, unit)}, fewer than {FEWEST_FOR_INTERVAL}")
    elif units < FEWEST_UNITS:
        words.append(f"no p-values: {counted(units, unit)}, fewer than {FEWEST_UNITS}")
    if not independent:
        words.append(f"independence of {unit}s unknown, intervals may be too narrow")
    return "; ".join(words)


def new_figure(width: float, height: float, heading: str, *notes: str) -> Figure:
    """An empty figure, in inches, with a heading and one smaller line for each note that is not empty."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.suptitle("\n".join([heading, *filter(None, notes)]), fontsize=10, parse_math=False)
    return figure


def legend(axis: Axes, handles: Sequence[Artist], labels: Sequence[str], **placing: Any) -> None:
    """A legend that shows labels as they are: a run's name is not a formula."""
    made = axis.legend(handles, labels, fontsize=8, frameon=False, **placing)
    for text in made.get_texts():
        text.set_parse_math(False)


def say(axis: Axes, text: str) -> None:
    """An empty panel that says why it is empty."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_facecolor("0.92")
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", fontsize=10, parse_math=False)


def description(figure: Figure) -> str:
    """The headings, panels, axes, legends and written numbers of a figure, as one line of text.

    It is read off the figure, so that it says what is drawn there; of a long one the beginning.
    """
    heading = _heading(figure)
    parts = [heading] if heading else []
    for row in figure.subfigs:
        parts.append(": ".join(filter(None, [_heading(row), _panels(row.axes)])))
    if not figure.subfigs:
        parts.append(_panels(figure.axes))
    holders: list[Figure | Axes] = [figure, *figure.axes]
    legends = [legend for holder in holders for legend in _legends(holder)]
    parts += [f"legend: {', '.join(dict.fromkeys(legends))}"] if legends else []
    parts += [_plain(one.get_text()) for one in figure.texts if one.get_text() != figure.get_suptitle()]
    text = ". ".join(filter(None, parts)) or "an empty figure"
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 4].rsplit(' ', 1)[0]} ..."


def _heading(figure: FigureBase) -> str:
    return ", ".join(filter(None, map(_plain, figure.get_suptitle().splitlines())))


def _panels(panels: list[Axes]) -> str:
    return "; ".join(filter(None, map(_panel, panels)))


def _panel(axis: Axes) -> str:
    """`Dice over threshold (probability)`, or the title of a picture, and what is written inside."""
    title, up, across = (_plain(text) for text in (axis.get_title(), axis.get_ylabel(), axis.get_xlabel()))
    shown = title or ("a picture" if axis.images else "")
    measured = f"{up} over {across}" if up and across else up or across
    written = [_plain(text.get_text()) for text in axis.texts]
    ticks = [] if axis.images else list(_names(axis))
    beside = [f"{name} {value}" for name, value in zip(ticks, written, strict=True)] if ticks and (
        len(ticks) == len(written)
    ) else [*([", ".join(ticks)] if ticks else []), *written]  # fmt: skip
    return ": ".join(filter(None, [shown, measured, ", ".join(filter(None, beside))]))


def _names(axis: Axes) -> Iterator[str]:
    """Words at the ticks, such as metrics or modules; numbers say nothing without the eye."""
    for side in (axis.yaxis, axis.xaxis):
        names = [_plain(tick.get_text()) for tick in side.get_ticklabels()]
        words = [name for name in names if any(letter.isalpha() for letter in name)]
        yield from words[:_MOST_NAMES]


def _legends(holder: Figure | Axes) -> Iterator[str]:
    legends = holder.legends if isinstance(holder, Figure) else filter(None, [holder.get_legend()])
    for legend in legends:
        yield from (_plain(text.get_text()) for text in legend.get_texts())


def _plain(text: str) -> str:
    return " ".join(text.split())
