"""A line that stands on every figure and above every table of a demonstration, so that none is taken for a result."""

import os

from matplotlib.figure import Figure

VARIABLE = "VESSELKIT_STAMP"


def stamp_text() -> str | None:
    """What the environment variable VESSELKIT_STAMP says; None where it says nothing."""
    return os.environ.get(VARIABLE) or None


def stamped(figure: Figure) -> Figure:
    """The figure, with the stamp in its lower right corner where there is one. Stamping twice stamps once."""
    text = stamp_text()
    if text and all(found.get_text() != text for found in figure.texts):
        figure.text(0.995, 0.004, text, ha="right", va="bottom", fontsize=7, color="0.35")
    return figure
