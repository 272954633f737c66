"""Pictures of all thresholds: the curves are those of the tables, the markers the thresholds chosen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_score, recall_score

from helpers.metrics.threshold_curve import logit_histogram
from helpers.review.figures.style import look
from helpers.review.figures.threshold_figures import (
    CurveData,
    precision_recall_figure,
    reliability_figure,
    threshold_figure,
)

TRUTH = np.array([[1, 1, 0, 0]], bool)
LOGITS = np.array([[2.0, -1.0, 1.0, -3.0]], np.float32)
CURVES = pd.DataFrame(
    [("iou", 0.2, 0.1, 0.1, 0.1), ("dice", 0.2, 0.8, 0.7, 0.9), ("dice", 0.5, 0.5, 0.4, 0.6)],
    columns=["metric", "threshold", "mean", "low", "high"],
)
RELIABILITY = pd.DataFrame(
    {"scaled": [False, False, True], "predicted": [0.1, 0.9, 0.4], "observed": [0.0, 0.5, 0.3], "pixels": [3, 1, 4]}
)
CALIBRATION = {"ece": {"mean": 0.125}}
STUDY = {
    "threshold": {"threshold": 0.31, "chosen_by": "development"},
    "calibration": CALIBRATION,
    "temperature": {"temperature": 1.5, "calibration": {"ece": {"mean": 0.01}}},
}
RUN = CurveData("model", [logit_histogram(TRUTH, LOGITS)], 0.5, 0.5, CURVES, RELIABILITY, STUDY)
NOTHING = {"threshold": None, "calibration": None, "temperature": None}
WITHOUT = CurveData("masks", [], None, 0.5, CURVES[:0], RELIABILITY[:0], NOTHING)
NOTE = "1 case, 1 sequence, 1 patient"
FIGURES = (precision_recall_figure, threshold_figure, reliability_figure)


def point(axis, marker="o"):
    (line,) = [line for line in axis.lines if line.get_marker() == marker]
    return line.get_xdata()[0], line.get_ydata()[0]


def test_precision_and_recall_at_the_runs_threshold():
    (axis,) = precision_recall_figure([RUN], NOTE).axes
    called = LOGITS > 0
    expected = (recall_score(TRUTH.ravel(), called.ravel()), precision_score(TRUTH.ravel(), called.ravel()))
    assert point(axis) == expected == (0.5, 0.5)
    curve = axis.lines[0]
    assert (1.0, 2 / 3) in list(zip(curve.get_xdata(), curve.get_ydata(), strict=True))
    assert axis.get_legend().get_texts()[0].get_text() == "model, area 0.833"


def test_dice_over_the_threshold():
    (axis,) = threshold_figure([RUN], NOTE).axes
    assert point(axis) == (0.5, 0.5)
    assert axis.lines[0].get_xydata().tolist() == [[0.2, 0.8], [0.5, 0.5]]
    band = axis.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0.4 and band[:, 1].max() == 0.9
    assert [0.31, 0.31] in [list(line.get_xdata()) for line in axis.lines]
    assert axis.get_legend().get_texts()[0].get_text() == "model, locked 0.31 (development)"


def test_reliability_is_drawn_with_its_pixels():
    shares, counts = reliability_figure([RUN], NOTE).axes
    assert shares.lines[1].get_xydata().tolist() == [[0.1, 0.0], [0.9, 0.5]]
    assert shares.lines[2].get_xydata().tolist() == [[0.4, 0.3]]
    assert counts.lines[0].get_ydata().tolist() == [3, 1]
    assert shares.get_legend().get_texts()[0].get_text() == "model, ECE 0.125; by temperature 1.50: 0.010"


@pytest.mark.parametrize("figure_of", FIGURES)
def test_every_figure_says_what_it_rests_on(figure_of):
    heading = figure_of([RUN], NOTE).get_suptitle()
    assert NOTE in heading and "cases with logits: model 1" in heading


@pytest.mark.parametrize("figure_of", FIGURES)
def test_a_run_looks_the_same_whether_the_one_before_has_logits_or_not(figure_of):
    after, alone = (
        {line.get_color() for axis in figure_of(runs, NOTE).axes for line in axis.lines}
        for runs in ([WITHOUT, RUN], [RUN])
    )
    assert look(1).colour in after and look(0).colour not in after and look(0).colour in alone


@pytest.mark.parametrize("figure_of", FIGURES)
def test_runs_without_logits_are_said_to_have_none(figure_of):
    (axis,) = figure_of([WITHOUT], NOTE).axes
    assert axis.texts[0].get_text() in ("no run stores logits", "no run has probabilities")
