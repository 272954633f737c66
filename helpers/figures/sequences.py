"""Curves over the frames of one sequence."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from helpers.figures.style import legend, look, new_figure


def sequence_figure(frames: pd.DataFrame, runs: Sequence[str], heading: str) -> Figure:
    """Dice, change without cause, and size of the mask over the frames of a sequence, a line for each run.

    Args:
        frames: rows of one sequence of `frames.parquet`, docs/metrics-format.md. A frame that was not scored is a gap.
        runs: in the order that gives them their looks.
    """
    figure = new_figure(8.0, 6.5, heading, "a gap is a frame that was not scored")
    panels = figure.subplots(3, 1, sharex=True)
    positions = range(int(frames["position"].min()), int(frames["position"].max()) + 1)
    handles = []
    for place, run in enumerate(runs):
        drawn = look(place)
        rows = frames[frames["run"] == run].set_index("position").reindex(positions)
        style = {"color": drawn.colour, "linestyle": drawn.dashes, "marker": drawn.marker, "markersize": 3}
        for axis, values in zip(panels, (rows["dice"], rows["flicker"], rows["mask_pixels"] / 1000), strict=True):
            lines = axis.plot(rows.index + 1, values, **style)
        handles += lines
    truth = frames.drop_duplicates("position").set_index("position")["truth_pixels"].reindex(positions) / 1000
    handles += panels[2].plot(truth.index + 1, truth, color="0.4", linewidth=3, alpha=0.5)
    for axis, name in zip(panels, ("Dice", "flicker", "mask [1000 pixels]"), strict=True):
        axis.set_ylabel(name)
        axis.grid(color="0.9")
    panels[0].set_ylim(-0.02, 1.02)
    panels[1].set_ylim(bottom=-0.02)
    panels[2].set_xlabel("frame of the sequence")
    legend(panels[2], handles, [*runs, "ground truth"], loc="best")
    return figure
