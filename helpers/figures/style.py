"""What the figures of an evaluation share: a look for each run, and the words that say what a number rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.evaluation.aggregation import Sizes
from helpers.evaluation.intervals import FEWEST_UNITS

DPI = 110
# Of Okabe and Ito, apart in all common forms of colour blindness; markers and dashes tell runs apart without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"
_DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Look:
    """How a run is drawn in every figure."""

    colour: str
    marker: str
    dashes: str


def look(index: int) -> Look:
    """The look of the run at `index` of a list of runs; looks repeat after many."""
    return Look(COLOURS[index % len(COLOURS)], _MARKERS[index % len(_MARKERS)], _DASHES[index % len(_DASHES)])


def sizes_text(sizes: Sizes) -> str:
    """`12 cases, 4 sequences, 2 patients`; what is not known of every case is said to be unknown."""
    parts = [_counted(sizes.cases, "case")]
    for number, noun in ((sizes.sequences, "sequence"), (sizes.patients, "patient")):
        parts.append(f"{noun}s unknown" if number is None else _counted(number, noun))
    return ", ".join(parts)


def sizes_of(summary: pd.DataFrame) -> Sizes:
    """The sizes that a table of `helpers.evaluation.aggregation.summary` states in each row."""
    first = summary.iloc[0]
    known = [None if pd.isna(first[name]) else int(first[name]) for name in ("n_sequences", "n_patients")]
    return Sizes(int(first["n_cases"]), *known)


def caution(units: int, unit: str, independent: bool) -> str:
    """What an interval over `units` of a kind does not say; empty where nothing is to be added."""
    words = []
    if units < FEWEST_UNITS:
        words.append(f"intervals from too few {unit}s ({units}, fewer than {FEWEST_UNITS})")
    if not independent:
        words.append(f"independence of {unit}s unknown, intervals may be too narrow")
    return "; ".join(words)


def new_figure(width: float, height: float, heading: str, *notes: str) -> Figure:
    """An empty figure, in inches, with a heading and one smaller line for each note that is not empty."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.suptitle("\n".join([heading, *filter(None, notes)]), fontsize=10, parse_math=False)
    return figure


def legend(axis: Axes, handles: Sequence[Artist], labels: Sequence[str], **placing: object) -> None:
    """A legend that shows labels as they are: a run's name is no formula."""
    made = axis.legend(handles, labels, fontsize=8, frameon=False, **placing)
    for text in made.get_texts():
        text.set_parse_math(False)


def say(axis: Axes, text: str) -> None:
    """An empty panel that says why it is empty."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_facecolor("0.92")
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", fontsize=10, parse_math=False)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
