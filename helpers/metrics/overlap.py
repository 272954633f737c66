"""Overlap of two masks, from four counts of pixels."""

import math
from dataclasses import dataclass

import numpy as np

from helpers.metrics.empties import empty_value
from helpers.metrics.masks import as_masks


@dataclass(frozen=True)
class PixelCounts:
    """Pixels by agreement; Python integers, so that sums over a data set cannot overflow.

    Attributes:
        tp: in both masks.
        fp: in the prediction only.
        fn: in the ground truth only.
        tn: in neither.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def truth_empty(self) -> bool:
        return self.tp + self.fn == 0

    @property
    def prediction_empty(self) -> bool:
        return self.tp + self.fp == 0


def count_pixels(truth: np.ndarray, prediction: np.ndarray) -> PixelCounts:
    """Counts for two masks (H, W). Raises RefusedInput as `as_mask`, and for two shapes."""
    truth, prediction = as_masks(truth=truth, prediction=prediction)
    both = int(np.count_nonzero(truth & prediction))
    in_truth, in_prediction = int(np.count_nonzero(truth)), int(np.count_nonzero(prediction))
    fp, fn = in_prediction - both, in_truth - both
    return PixelCounts(tp=both, fp=fp, fn=fn, tn=truth.size - both - fp - fn)


def dice(counts: PixelCounts) -> float:
    """2 TP / (2 TP + FP + FN), 0 .. 1."""
    return _share("dice", counts, 2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def iou(counts: PixelCounts) -> float:
    """TP / (TP + FP + FN), 0 .. 1."""
    return _share("iou", counts, counts.tp, counts.tp + counts.fp + counts.fn)


def precision(counts: PixelCounts) -> float:
    """TP / (TP + FP), 0 .. 1."""
    return _share("precision", counts, counts.tp, counts.tp + counts.fp)


def recall(counts: PixelCounts) -> float:
    """TP / (TP + FN), 0 .. 1."""
    return _share("recall", counts, counts.tp, counts.tp + counts.fn)


def specificity(counts: PixelCounts) -> float:
    """TN / (TN + FP), 0 .. 1; NaN where the ground truth fills the frame."""
    return _share("specificity", counts, counts.tn, counts.tn + counts.fp)


def overlap_scores(counts: PixelCounts) -> dict[str, float]:
    """All scores of this module by name."""
    return {score.__name__: score(counts) for score in (dice, iou, precision, recall, specificity)}


def _share(metric: str, counts: PixelCounts, part: int, whole: int) -> float:
    decided = empty_value(metric, truth_empty=counts.truth_empty, prediction_empty=counts.prediction_empty)
    if decided is not None:
        return decided
    return part / whole if whole else math.nan
