"""Pictures of a training run and of what it changed. Built without pyplot, as all figures of the kit."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helpers.review.figures.style import COLOURS, DPI, look, say

_SIZE = (11.0, 3.8)
_PARTS_WIDTH = 0.75  # of the bar panel, against the layer panel
_MARKERS = "osv^Dx+"
_NO_LAYERS = "no language layer\nhas a counterpart in the base"
_NO_PARTS = "no other module\nhas a counterpart in the base"


def training_curves(log: pd.DataFrame) -> Figure:
    """Loss and learning rate over the steps of a training run.

    Args:
        log: as `read_training_log` gives it: `step`, columns with 'loss' in their names, and perhaps `lr`. Rows of
            several runs are told apart by `run`. Without rows, the panels say that there is no log.
    """
    figure = Figure(figsize=_SIZE, dpi=DPI, layout="constrained")
    loss_axis, rate_axis = figure.subplots(1, 2)
    losses = [name for name in log.columns if "loss" in name]
    _draw_curves(loss_axis, log, losses, "loss (logarithmic)")
    _draw_curves(rate_axis, log, [name for name in ("lr",) if name in log.columns], "learning rate")
    if loss_axis.lines:
        loss_axis.set_yscale("log", nonpositive="mask")
    return figure


def change_norms(table: pd.DataFrame) -> Figure:
    """Relative change of each module against the base: language layers by kind of module, the other parts as bars.

    Zeros cannot be drawn on the logarithmic axis; the titles count what did not change.

    Args:
        table: as `helpers.checkpoints.convert.account_tables.change_table` gives it.
    """
    figure = Figure(figsize=_SIZE, dpi=DPI, layout="constrained")
    layer_axis, part_axis = figure.subplots(1, 2, width_ratios=(1.0, _PARTS_WIDTH))
    inside = table["layer"].notna()
    _draw_layers(layer_axis, table[inside])
    _draw_parts(part_axis, table[~inside])
    return figure


def _draw_curves(axis: Axes, log: pd.DataFrame, names: list[str], label: str) -> None:
    """One line for each column and run, over the step."""
    curves = []
    for name in names:
        for run, rows in log.groupby("run", dropna=False):
            finite = rows[np.isfinite(rows[name].astype(float)) & rows["step"].notna()]
            if len(finite):
                curves.append((name, run, finite))
    several = len({run for _, run, _ in curves}) > 1
    for index, (name, run, rows) in enumerate(curves):
        axis.plot(
            rows["step"].astype(float),
            rows[name].astype(float),
            color=look(index).colour,
            linestyle=("-", "--", ":")[index // len(COLOURS) % 3],
            marker="." if len(rows) < 50 else None,
            label=f"{name}, run {run}" if several else name,
        )
    if not curves:
        say(axis, f"no {label.split(' (')[0]}\nin a training log")
        return
    axis.set_xlabel("training step")
    axis.set_ylabel(label)
    axis.legend(fontsize=8)


def _draw_layers(axis: Axes, table: pd.DataFrame) -> None:
    """Relative change over the layer's number, one line for each kind of module."""
    axis.set_title(f"language layers{_unchanged(table)}", fontsize=10)
    drawn = table[table["relative"] > 0]
    if drawn.empty:
        say(axis, _NO_LAYERS if table.empty else "nothing changed")
        return
    for index, (module, rows) in enumerate(drawn.groupby("module", sort=False)):
        axis.plot(
            rows["layer"].astype(int),
            rows["relative"],
            color=look(index).colour,
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=4,
            linewidth=1,
            label=module,
        )
    axis.set_yscale("log")
    axis.set_xlabel("layer")
    axis.set_ylabel("norm of change / norm of base")
    axis.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def _draw_parts(axis: Axes, table: pd.DataFrame) -> None:
    """A bar for each other part, with its value written beside it."""
    axis.set_title(f"other modules{_unchanged(table)}", fontsize=10)
    drawn = table[table["relative"] > 0]
    if drawn.empty:
        say(axis, _NO_PARTS if table.empty else "nothing changed")
        return
    bars = axis.barh(drawn["module"], drawn["relative"], color=look(0).colour)
    axis.bar_label(bars, labels=[f"{value:.2g}" for value in drawn["relative"]], padding=3, fontsize=8)
    axis.set_xscale("log")
    low, high = drawn["relative"].min(), drawn["relative"].max()
    axis.set_xlim(low / 3, high * 3)  # room for the shortest bar and the longest bar's label
    axis.invert_yaxis()
    axis.set_xlabel("norm of change / norm of base")


def _unchanged(table: pd.DataFrame) -> str:
    count = int((table["relative"] == 0).sum())
    return f" (unchanged: {count})" if count else ""
