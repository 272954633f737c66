"""Pictures of all thresholds at once: precision and recall, Dice over the threshold, and reliability."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import logit

from helpers.metrics.overlap import precision, recall
from helpers.metrics.threshold_curve import LogitHistogram, counts_at, pr_auc, sweep
from helpers.review.figures.style import RunStyle, legend, look, new_figure, say

_SIZE = (10.0, 4.6)
_NO_LOGITS = "no run stores logits"


@dataclass(frozen=True)
class CurveData:
    """What the curves of one run are drawn from.

    Attributes:
        name: of the run.
        histograms: one for each case that has logits.
        threshold: probability, 0 .. 1, that the run's masks were made with; None where unknown.
        dice: mean of patient means of Dice of these masks; None where unknown.
        curves: of `helpers.evaluation.chosen_threshold.threshold_curves`; no row without logits.
        reliability: columns scaled, predicted, observed, pixels; no row without probabilities.
        point: as `helpers.evaluation.metrics_folder.Metrics.operating_point` gives it.
    """

    name: str
    histograms: Sequence[LogitHistogram]
    threshold: float | None
    dice: float | None
    curves: pd.DataFrame
    reliability: pd.DataFrame
    point: Mapping[str, Any]

    @property
    def pooled(self) -> LogitHistogram:
        """The histogram of all cases together."""
        return reduce(add, self.histograms)


def figures_of_logits(runs: Sequence[CurveData], sizes_note: str) -> dict[str, Figure]:
    """`precision_recall`, `threshold` and `reliability` -> the figure of that name; arguments as of each."""
    return {
        "precision_recall": precision_recall_figure(runs, sizes_note),
        "threshold": threshold_figure(runs, sizes_note),
        "reliability": reliability_figure(runs, sizes_note),
    }


def precision_recall_figure(runs: Sequence[CurveData], sizes_note: str) -> Figure:
    """Precision over recall of all pixels together, the run's own threshold as a marker.

    Args:
        sizes_note: as `helpers.review.figures.style.sizes_text` puts it.
    """
    looks, runs = _looks(runs, [bool(run.histograms) for run in runs])
    figure = new_figure(6.5, 5.6, "Precision and recall over all thresholds, pixels pooled", sizes_note, _logits(runs))
    axis = figure.subplots()
    if not runs:
        say(axis, _NO_LOGITS)
        return figure
    handles = []
    for drawn, run in zip(looks, runs, strict=True):
        pooled = run.pooled
        hits, alarms = sweep(pooled)
        called = hits + alarms
        some = called > 0
        total = max(int(pooled.vessel.sum()), 1)
        handles += _line(axis, hits[some] / total, hits[some] / called[some], drawn)
        if run.threshold is not None:
            counts = counts_at(pooled, float(logit(run.threshold)))
            axis.plot([recall(counts)], [precision(counts)], marker=drawn.marker, color=drawn.colour, markersize=8)
    axis.set_xlabel("recall")
    axis.set_ylabel("precision")
    axis.set_xlim(0.0, 1.0)
    axis.set_ylim(0.0, 1.02)
    axis.grid(color="0.9")
    legend(axis, handles, [f"{run.name}, area {pr_auc(run.pooled):.3f}" for run in runs], loc="lower left")
    return figure


def threshold_figure(runs: Sequence[CurveData], sizes_note: str) -> Figure:
    """Mean of patient means of Dice over the threshold, with pointwise intervals.

    A marker is the run's own threshold, a dotted line the locked one.
    """
    looks, runs = _looks(runs, [len(run.curves) > 0 for run in runs])
    figure = new_figure(6.5, 4.8, "Dice over the threshold, mean of patient means", sizes_note, _logits(runs))
    axis = figure.subplots()
    if not runs:
        say(axis, _NO_LOGITS)
        return figure
    handles = []
    for drawn, run in zip(looks, runs, strict=True):
        rows = run.curves[run.curves["metric"] == "dice"]
        handles += _line(axis, rows["threshold"], rows["mean"], drawn)
        axis.fill_between(rows["threshold"], rows["low"], rows["high"], color=drawn.colour, alpha=0.15, linewidth=0)
        if run.threshold is not None and run.dice is not None:
            axis.plot([run.threshold], [run.dice], marker=drawn.marker, color=drawn.colour, markersize=8)
        if run.point["threshold"] is not None:
            axis.axvline(run.point["threshold"]["threshold"], color=drawn.colour, linestyle=":", linewidth=1)
    axis.set_xlabel("threshold (probability)")
    axis.set_ylabel("Dice")
    axis.set_xlim(0.0, 1.0)
    axis.set_ylim(0.0, 1.02)
    axis.grid(color="0.9")
    legend(axis, handles, [f"{run.name}{_locked(run.point)}" for run in runs], loc="lower center")
    return figure


def reliability_figure(runs: Sequence[CurveData], sizes_note: str) -> Figure:
    """Share of vessel among the pixels of a predicted probability, and how many pixels there are of each.

    A thin line is the same after division of the logits by the temperature.
    """
    looks, runs = _looks(runs, [len(run.reliability) > 0 for run in runs])
    figure = new_figure(*_SIZE, "Reliability of the predicted probabilities, pixels pooled", sizes_note, _logits(runs))
    if not runs:
        say(figure.subplots(), "no run has probabilities")
        return figure
    shares, counts = figure.subplots(1, 2, width_ratios=(1.4, 1.0))
    shares.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":")
    handles = []
    for drawn, run in zip(looks, runs, strict=True):
        scaled = run.reliability["scaled"].astype(bool)
        unscaled, mended = run.reliability[~scaled], run.reliability[scaled]
        for axis, values in ((shares, unscaled["observed"]), (counts, unscaled["pixels"])):
            line = _line(axis, unscaled["predicted"], values, drawn)
            line[0].set(marker=drawn.marker, markersize=5)
            handles += line if axis is shares else []
        shares.plot(mended["predicted"], mended["observed"], color=drawn.colour, linewidth=0.7)
    shares.set_ylabel("share that is vessel")
    counts.set_ylabel("pixels")
    counts.set_yscale("log")
    for axis in (shares, counts):
        axis.set_xlabel("predicted probability")
        axis.set_xlim(0.0, 1.0)
        axis.grid(color="0.9")
    shares.set_ylim(0.0, 1.02)
    legend(shares, handles, [f"{run.name}{_errors(run.point)}" for run in runs], loc="upper left")
    return figure


def _looks(runs: Sequence[CurveData], drawn: Sequence[bool]) -> tuple[list[RunStyle], list[CurveData]]:
    """The runs that are drawn, each with the look of its place among all runs, as in every other figure."""
    kept = [place for place, is_drawn in enumerate(drawn) if is_drawn]
    return [look(place) for place in kept], [runs[place] for place in kept]


def _locked(point: Mapping[str, Any]) -> str:
    chosen = point["threshold"]
    return "" if chosen is None else f", locked {chosen['threshold']:.2f} ({chosen['chosen_by']})"


def _errors(point: Mapping[str, Any]) -> str:
    text = f", ECE {point['calibration']['ece']['mean']:.3f}"
    scaling = point["temperature"]
    if scaling is not None:
        text += f"; by temperature {scaling['temperature']:.2f}: {scaling['calibration']['ece']['mean']:.3f}"
    return text


def _line(axis: Axes, across: np.ndarray, up: np.ndarray, drawn: RunStyle) -> list:
    return axis.plot(across, up, color=drawn.colour, linestyle=drawn.dashes)


def _logits(runs: Sequence[CurveData]) -> str:
    return "cases with logits: " + ", ".join(f"{run.name} {len(run.histograms)}" for run in runs) if runs else ""
