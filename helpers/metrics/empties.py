"""The value of every metric where the ground truth, the prediction or both are empty: one table, used by all."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

NAN = math.nan
INFINITE = math.inf


@dataclass(frozen=True)
class EmptyValues:
    """One metric's values for empty masks.

    NaN: undefined, left out of means and counted. Infinite: capped at the frame's diagonal in means, and counted.
    None: nothing special; the metric's own formula holds (counts, and shares that have a denominator).

    Attributes:
        both: neither mask holds a pixel.
        no_truth: the ground truth is empty, the prediction is not: vessels were made up.
        no_prediction: the prediction is empty, the ground truth is not; also a failed or missing prediction.
    """

    both: float | None
    no_truth: float | None
    no_prediction: float | None


_AGREEMENT = EmptyValues(both=1.0, no_truth=0.0, no_prediction=0.0)
_OF_PREDICTION = EmptyValues(both=NAN, no_truth=0.0, no_prediction=NAN)
_OF_TRUTH = EmptyValues(both=NAN, no_truth=NAN, no_prediction=0.0)
_DISTANCE = EmptyValues(both=0.0, no_truth=INFINITE, no_prediction=INFINITE)
_COUNTED = EmptyValues(both=None, no_truth=None, no_prediction=None)
_OF_CALIBRE = EmptyValues(both=NAN, no_truth=NAN, no_prediction=None)
_OF_LOGITS = EmptyValues(both=NAN, no_truth=NAN, no_prediction=None)

EMPTY_VALUES: Mapping[str, EmptyValues] = MappingProxyType(
    {
        "dice": _AGREEMENT,
        "iou": _AGREEMENT,
        "precision": _OF_PREDICTION,
        "recall": _OF_TRUTH,
        "specificity": _COUNTED,
        "cldice": _AGREEMENT,
        "topology_precision": _OF_PREDICTION,
        "topology_sensitivity": _OF_TRUTH,
        "nsd_1px": _AGREEMENT,
        "nsd_2px": _AGREEMENT,
        "nsd_3px": _AGREEMENT,
        "nsd_0.5mm": _AGREEMENT,
        "nsd_1.0mm": _AGREEMENT,
        "hd95_px": _DISTANCE,
        "hd95_mm": _DISTANCE,
        "assd_px": _DISTANCE,
        "assd_mm": _DISTANCE,
        "betti0_error": _COUNTED,
        "betti1_error": _COUNTED,
        "broken_branches": _COUNTED,
        "broken_length_px": _COUNTED,
        "recall_thin": _OF_CALIBRE,
        "recall_medium": _OF_CALIBRE,
        "recall_thick": _OF_CALIBRE,
        "pr_auc": _OF_LOGITS,
    }
)


def decided_value(metric: str, *, truth_empty: bool, prediction_empty: bool) -> float:
    """`empty_value` where the table decides. Raises ValueError where the metric's own formula holds."""
    value = empty_value(metric, truth_empty=truth_empty, prediction_empty=prediction_empty)
    if value is None:
        raise ValueError(f"{metric}: expected a metric whose value for empty masks is decided; its formula holds")
    return value


def empty_value(metric: str, *, truth_empty: bool, prediction_empty: bool) -> float | None:
    """The value of `metric` that emptiness alone decides; None where its formula decides.

    Raises:
        KeyError: for a metric without a row in `EMPTY_VALUES`.
    """
    values = EMPTY_VALUES[metric]
    if truth_empty and prediction_empty:
        return values.both
    if truth_empty:
        return values.no_truth
    return values.no_prediction if prediction_empty else None
