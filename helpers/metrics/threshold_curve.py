"""All thresholds at once: histograms of logits, of cases and of units, give curves and every threshold's counts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.metrics.empties import decided_value
from helpers.metrics.intervals import DRAWS, SEED, drawn_units
from helpers.metrics.masks import as_mask
from helpers.metrics.overlap import PixelCounts

FOLDS = 5
# A power of two, so that scaling is exact and logit 0 (probability 0.5) is a threshold of the sweep.
STEPS_PER_LOGIT = 256
LIMIT = 16
_OFFSET = LIMIT * STEPS_PER_LOGIT
_BINS = 2 * _OFFSET + 1


@dataclass(frozen=True)
class LogitHistogram:
    """Numbers of pixels by logit, apart for vessel and background. Histograms of cases add up to that of a data set.

    Bin k holds the logits above threshold k - 1 and up to threshold k of `thresholds`; the ends take what lies beyond.

    Attributes:
        vessel, background: int64 (8193,).
    """

    vessel: np.ndarray
    background: np.ndarray

    def __add__(self, other: "LogitHistogram") -> "LogitHistogram":
        return LogitHistogram(self.vessel + other.vessel, self.background + other.background)


def thresholds() -> np.ndarray:
    """The logits of the sweep, float64 (8193,), ascending from -16 to 16; a pixel above one is in its mask."""
    return np.arange(-_OFFSET, _OFFSET + 1) / STEPS_PER_LOGIT


def logit_histogram(truth: np.ndarray, logits: np.ndarray) -> LogitHistogram:
    """Count the pixels of one case.

    Args:
        truth: mask (H, W).
        logits: floating (H, W), finite; the largest over `[SEG]` where a case has several.
    Raises:
        RefusedInput: as `as_mask`, and where the logits are of another shape.
    """
    truth = as_mask("truth", truth)
    if logits.shape != truth.shape:
        raise RefusedInput(f"logits: expected them at the size of the ground truth {truth.shape}, got {logits.shape}")
    scaled = np.ceil(logits.astype(np.float32) * STEPS_PER_LOGIT)
    bins = np.clip(scaled, -_OFFSET, _OFFSET).astype(np.int64) + _OFFSET
    return LogitHistogram(
        vessel=np.bincount(bins[truth], minlength=_BINS), background=np.bincount(bins[~truth], minlength=_BINS)
    )


def sweep(histogram: LogitHistogram) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives at each of `thresholds`, int64 (8193,) each."""
    return _above(histogram.vessel), _above(histogram.background)


def counts_at(histogram: LogitHistogram, threshold: float) -> PixelCounts:
    """Counts of the mask of all logits above `threshold`, which is taken to the next lower one of the sweep."""
    index = min(max(math.floor(threshold * STEPS_PER_LOGIT), -_OFFSET), _OFFSET) + _OFFSET
    hits, alarms = sweep(histogram)
    tp, fp = int(hits[index]), int(alarms[index])
    return PixelCounts(tp=tp, fp=fp, fn=int(histogram.vessel.sum()) - tp, tn=int(histogram.background.sum()) - fp)


def dice_curve(histogram: LogitHistogram) -> np.ndarray:
    """Dice at each of `thresholds`, float64 (8193,); 1 where mask and ground truth are both empty."""
    hits, alarms = sweep(histogram)
    sizes = hits + alarms + histogram.vessel.sum()
    return np.asarray(np.divide(2 * hits, sizes, out=np.ones(_BINS), where=sizes > 0))


def pr_auc(histogram: LogitHistogram) -> float:
    """Area under the precision-recall curve as average precision, 0 .. 1; NaN where the ground truth is empty.

    The steps of the curve are the histogram's bins: it equals scikit-learn's `average_precision_score` of the logits
    rounded up to the bins.
    """
    total = int(histogram.vessel.sum())
    if total == 0:
        return decided_value("pr_auc", truth_empty=True, prediction_empty=False)
    hits = np.cumsum(histogram.vessel[::-1])
    called = hits + np.cumsum(histogram.background[::-1])
    precision = np.divide(hits, called, out=np.zeros(_BINS), where=called > 0)
    return float(precision @ histogram.vessel[::-1] / total)


def _above(counts: np.ndarray) -> np.ndarray:
    """Pixels in higher bins than each."""
    return np.asarray(counts.sum() - np.cumsum(counts))


class ChosenBy(StrEnum):
    """Where a parameter comes from."""

    DEVELOPMENT = "development"  # other patients, given for that
    CROSS_VALIDATION = "cross-validation"  # each fold is scored with what the other folds chose


@dataclass(frozen=True)
class UnitHistograms:
    """The summed logit histograms of each unit.

    Attributes:
        names: of the units, in the order of the table of scores.
        vessel, background: int64 (units, 8193), pixels as in `LogitHistogram`.
        cases: number of cases that have logits.
    """

    names: tuple[str, ...]
    vessel: np.ndarray = field(repr=False)
    background: np.ndarray = field(repr=False)
    cases: int

    def pooled(self, chosen: Sequence[int] | slice = slice(None)) -> LogitHistogram:
        """The histogram of all units together, or of those at the places `chosen`."""
        return LogitHistogram(self.vessel[chosen].sum(axis=0), self.background[chosen].sum(axis=0))


def is_flat(histograms: Mapping[str, LogitHistogram]) -> bool:
    """Whether all logits are of two values or fewer: imported masks, of which every threshold makes the same mask."""
    used = np.zeros(len(thresholds()), bool)
    for one in histograms.values():
        used |= one.vessel + one.background > 0
    return bool(np.count_nonzero(used) <= 2)


def folds(units: int, count: int = FOLDS, seed: int = SEED) -> list[np.ndarray]:
    """Places of the units of each fold, dealt from a seeded shuffle; one a fold where there are fewer than `count`.

    Raises:
        RefusedInput: with fewer than two units: there is nothing to choose on apart from what is scored.
    """
    if units < 2:
        raise RefusedInput(f"expected at least 2 independent units for cross-validation, got {units}")
    order = np.random.default_rng(seed).permutation(units)
    return [np.sort(order[start::count]) for start in range(min(count, units))]


def resampled_counts(units: int, *, draws: int = DRAWS, seed: int = SEED) -> Iterator[np.ndarray]:
    """How often each unit is in each bootstrap draw, with replacement, float64 (block, units), block after block."""
    for picked in drawn_units(units, draws=draws, seed=seed):
        rows = len(picked)
        places = picked + np.arange(rows, dtype=np.int64)[:, None] * units
        yield np.bincount(places.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)
