"""Pictures of all thresholds at once: precision and recall, Dice over the threshold, and reliability."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import expit, logit

from helpers.evaluation.curve import LogitHistogram, counts_at, dice_curve, pr_auc, sweep, thresholds
from helpers.evaluation.overlap import dice, precision, recall
from helpers.figures.style import Look, legend, look, new_figure, say

_SIZE = (10.0, 4.6)
_BINS = 15
_NO_LOGITS = "no run stores logits"


@dataclass(frozen=True)
class CurveData:
    """What the curves of one run are drawn from.

    Attributes:
        name: of the run.
        histograms: one for each case that has logits.
        threshold: probability, 0 .. 1, that the run's masks were made with; None where unknown.
    """

    name: str
    histograms: Sequence[LogitHistogram]
    threshold: float | None

    @property
    def pooled(self) -> LogitHistogram:
        """The histogram of all cases together."""
        return reduce(add, self.histograms)


@dataclass(frozen=True)
class Reliability:
    """Pixels by predicted probability.

    Attributes:
        predicted: mean probability of the pixels of a bin, float (n,).
        observed: share of them that are vessel in the ground truth, float (n,).
        pixels: how many they are, int (n,); above 0.
        error: expected calibration error, 0 .. 1.
    """

    predicted: np.ndarray
    observed: np.ndarray
    pixels: np.ndarray
    error: float


def precision_recall_figure(runs: Sequence[CurveData], sizes_note: str) -> Figure:
    """Precision over recall of all pixels together, the run's own threshold as a marker.

    Args:
        sizes_note: as `helpers.figures.style.sizes_text` puts it.
    """
    runs = [run for run in runs if run.histograms]
    figure = new_figure(6.5, 5.6, "Precision and recall over all thresholds, pixels pooled", sizes_note, _logits(runs))
    axis = figure.subplots()
    if not runs:
        say(axis, _NO_LOGITS)
        return figure
    handles = []
    for index, run in enumerate(runs):
        pooled, drawn = run.pooled, look(index)
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
    """Mean Dice of cases over the probability that a pixel must exceed; the run's own threshold as a marker."""
    runs = [run for run in runs if run.histograms]
    figure = new_figure(6.5, 4.8, "Dice over the threshold, mean of cases", sizes_note, _logits(runs))
    axis = figure.subplots()
    if not runs:
        say(axis, _NO_LOGITS)
        return figure
    chances = expit(thresholds())
    handles = []
    for index, run in enumerate(runs):
        drawn = look(index)
        handles += _line(axis, chances, mean_dice_curve(run.histograms), drawn)
        if run.threshold is not None:
            at = float(logit(run.threshold))
            mean = np.mean([dice(counts_at(histogram, at)) for histogram in run.histograms])
            axis.plot([run.threshold], [mean], marker=drawn.marker, color=drawn.colour, markersize=8)
    axis.set_xlabel("threshold (probability)")
    axis.set_ylabel("Dice")
    axis.set_xlim(0.0, 1.0)
    axis.set_ylim(0.0, 1.02)
    axis.grid(color="0.9")
    legend(axis, handles, [run.name for run in runs], loc="lower center")
    return figure


def reliability_figure(runs: Sequence[CurveData], sizes_note: str) -> Figure:
    """Share of vessel among the pixels of a predicted probability, and how many pixels there are of each."""
    runs = [run for run in runs if run.histograms]
    figure = new_figure(*_SIZE, "Reliability of the predicted probabilities, pixels pooled", sizes_note, _logits(runs))
    if not runs:
        say(figure.subplots(), _NO_LOGITS)
        return figure
    shares, counts = figure.subplots(1, 2, width_ratios=(1.4, 1.0))
    shares.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":")
    handles, labels = [], []
    for index, run in enumerate(runs):
        found, drawn = reliability(run.pooled), look(index)
        for axis, values in ((shares, found.observed), (counts, found.pixels)):
            line = axis.plot(
                found.predicted, values, color=drawn.colour, linestyle=drawn.dashes, marker=drawn.marker, markersize=5
            )  # fmt: skip
        handles += line
        labels.append(f"{run.name}, ECE {found.error:.3f}")
    shares.set_ylabel("share that is vessel")
    counts.set_ylabel("pixels")
    counts.set_yscale("log")
    for axis in (shares, counts):
        axis.set_xlabel("predicted probability")
        axis.set_xlim(0.0, 1.0)
        axis.grid(color="0.9")
    shares.set_ylim(0.0, 1.02)
    legend(shares, handles, labels, loc="upper left")
    return figure


def mean_dice_curve(histograms: Sequence[LogitHistogram]) -> np.ndarray:
    """Mean over cases of Dice at each of `thresholds`, float64 (8193,)."""
    return sum(dice_curve(histogram) for histogram in histograms) / len(histograms)


def reliability(histogram: LogitHistogram, bins: int = _BINS) -> Reliability:
    """Pixels in `bins` steps of probability of equal width; steps without a pixel are left out.

    Each pixel counts with the probability of its bin of the histogram, which is 1/256 logit wide.
    """
    chances = expit(thresholds())
    steps = np.minimum((chances * bins).astype(int), bins - 1)
    pixels = np.bincount(steps, histogram.vessel + histogram.background, bins)
    predicted = np.bincount(steps, chances * (histogram.vessel + histogram.background), bins)
    vessel = np.bincount(steps, histogram.vessel, bins)
    some = pixels > 0
    predicted, observed = predicted[some] / pixels[some], vessel[some] / pixels[some]
    error = float(np.abs(predicted - observed) @ pixels[some] / pixels.sum())
    return Reliability(predicted, observed, pixels[some].astype(np.int64), error)


def _line(axis: Axes, across: np.ndarray, up: np.ndarray, drawn: Look) -> list:
    return axis.plot(across, up, color=drawn.colour, linestyle=drawn.dashes)


def _logits(runs: Sequence[CurveData]) -> str:
    return "cases with logits: " + ", ".join(f"{run.name} {len(run.histograms)}" for run in runs) if runs else ""
