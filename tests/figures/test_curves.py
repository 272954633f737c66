"""Pictures of all thresholds: the curves are those of the histograms, the markers the run's own threshold."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import f1_score, precision_score, recall_score

from helpers.evaluation.curve import logit_histogram
from helpers.figures.curves import (
    CurveData,
    mean_dice_curve,
    precision_recall_figure,
    reliability,
    reliability_figure,
    threshold_figure,
)

TRUTH = np.array([[1, 1, 0, 0]], bool)
LOGITS = np.array([[2.0, -1.0, 1.0, -3.0]], np.float32)
RUN = CurveData("model", [logit_histogram(TRUTH, LOGITS)], 0.5)
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
    chance, dice = point(axis)
    assert (chance, dice) == (0.5, f1_score(TRUTH.ravel(), (LOGITS > 0).ravel()))
    curve = axis.lines[0]
    at = np.searchsorted(curve.get_xdata(), expit(-2.0))
    assert curve.get_ydata()[at] == pytest.approx(0.8)


def test_the_mean_is_over_cases_whatever_their_size():
    whole = logit_histogram(np.ones((10, 10), bool), np.full((10, 10), 1.0))
    none = logit_histogram(np.ones((1, 1), bool), np.full((1, 1), -1.0))
    assert mean_dice_curve([whole, none])[4096] == 0.5


def test_reliability_by_hand():
    chances = np.array([[0.2, 0.2, 0.9, 0.9]])
    found = reliability(logit_histogram(np.array([[0, 1, 1, 1]], bool), np.log(chances / (1 - chances))), bins=2)
    assert found.predicted == pytest.approx([0.2, 0.9], abs=2e-3)
    assert found.observed.tolist() == [0.5, 1.0] and found.pixels.tolist() == [2, 2]
    assert found.error == pytest.approx((0.3 + 0.1) / 2, abs=2e-3)


def test_reliability_is_drawn_with_its_pixels():
    shares, counts = reliability_figure([RUN], NOTE).axes
    found = reliability(RUN.pooled)
    assert np.array_equal(shares.lines[1].get_ydata(), found.observed)
    assert np.array_equal(counts.lines[0].get_ydata(), found.pixels) and found.pixels.sum() == 4
    assert f"ECE {found.error:.3f}" in shares.get_legend().get_texts()[0].get_text()


@pytest.mark.parametrize("figure_of", FIGURES)
def test_every_figure_says_what_it_rests_on(figure_of):
    heading = figure_of([RUN], NOTE).get_suptitle()
    assert NOTE in heading and "cases with logits: model 1" in heading


@pytest.mark.parametrize("figure_of", FIGURES)
def test_runs_without_logits_are_said_to_have_none(figure_of):
    (axis,) = figure_of([CurveData("masks", [], None)], NOTE).axes
    assert axis.texts[0].get_text() == "no run stores logits"
