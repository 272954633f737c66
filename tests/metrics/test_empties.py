"""The table of empty masks covers every metric, and a case scored in full agrees with it."""

import math

import numpy as np
import pytest

from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.metrics.definitions import METRICS
from helpers.metrics.empties import EMPTY_VALUES, empty_value

EMPTY = np.zeros((9, 9), bool)
LINE = EMPTY.copy()
LINE[4, 1:8] = True
LOGITS = np.where(LINE, 2.0, -2.0)
NAN, INFINITE = math.nan, math.inf

EXPECTED = {  # both empty, ground truth empty, prediction empty
    "dice": (1, 0, 0),
    "iou": (1, 0, 0),
    "precision": (NAN, 0, NAN),
    "recall": (NAN, NAN, 0),
    "specificity": (1, 74 / 81, 1),
    "cldice": (1, 0, 0),
    "topology_precision": (NAN, 0, NAN),
    "topology_sensitivity": (NAN, NAN, 0),
    "nsd_1px": (1, 0, 0),
    "nsd_2px": (1, 0, 0),
    "nsd_3px": (1, 0, 0),
    "nsd_0.5mm": (1, 0, 0),
    "nsd_1.0mm": (1, 0, 0),
    "hd95_px": (0, INFINITE, INFINITE),
    "hd95_mm": (0, INFINITE, INFINITE),
    "assd_px": (0, INFINITE, INFINITE),
    "assd_mm": (0, INFINITE, INFINITE),
    "betti0_error": (0, 1, 1),
    "betti1_error": (0, 0, 0),
    "broken_branches": (0, 0, 1),
    "broken_length_px": (0, 0, 7),
    "recall_thin": (NAN, NAN, 0),
    "recall_medium": (NAN, NAN, NAN),
    "recall_thick": (NAN, NAN, NAN),
    "pr_auc": (NAN, NAN, 1),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("place", "truth", "prediction"),
    [(0, EMPTY, EMPTY), (1, EMPTY, LINE), (2, LINE, EMPTY)],
    ids=["both", "gt", "pred"],
)
def test_every_metric_in_every_empty_case(metric, place, truth, prediction):
    case = CaseArrays("c", truth, prediction, logits=LOGITS, spacing_mm=(0.3, 0.3))
    found = score_case(case).values[metric]
    assert found == pytest.approx(EXPECTED[metric][place], nan_ok=True)


def test_the_table_has_every_metric_and_no_other():
    assert set(EMPTY_VALUES) == set(METRICS) == set(EXPECTED)


def test_two_masks_with_pixels_are_decided_by_the_formula():
    assert all(empty_value(metric, truth_empty=False, prediction_empty=False) is None for metric in METRICS)


def test_an_unknown_metric_has_no_value():
    with pytest.raises(KeyError):
        empty_value("accuracy", truth_empty=True, prediction_empty=True)
