"""The histogram gives the same counts as cutting the logits, and scikit-learn's average precision."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from helpers.metrics.overlap import PixelCounts, count_pixels, dice
from helpers.metrics.threshold_curve import (
    counts_at,
    dice_curve,
    logit_histogram,
    pr_auc,
    sweep,
    thresholds,
)

TRUTH = np.array([[True, True, False], [False, True, False], [False, False, False]])
LOGITS = np.array([[3.0, 1.0, 2.0], [-1.0, -2.0, -3.0], [-4.0, -4.0, -4.0]])


def noisy(seed, scale=3.0):
    rng = np.random.default_rng(seed)
    truth = rng.random((40, 40)) < 0.2
    return truth, (rng.normal(0, scale, truth.shape) + 3 * truth).astype(np.float16)


def test_by_hand():
    """Vessel pixels rank 1st, 3rd and 5th: precision 1, 2/3, 3/5, each with a third of the recall."""
    assert pr_auc(logit_histogram(TRUTH, LOGITS)) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_perfect_and_constant_logits():
    assert pr_auc(logit_histogram(TRUTH, np.where(TRUTH, 9.0, -9.0))) == 1
    assert pr_auc(logit_histogram(TRUTH, np.zeros((3, 3)))) == pytest.approx(3 / 9)  # the share of vessel


def test_without_vessel_it_is_undefined():
    assert np.isnan(pr_auc(logit_histogram(np.zeros((3, 3), bool), LOGITS)))


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn(seed):
    truth, logits = noisy(seed)
    rounded = np.clip(np.ceil(logits.astype(np.float64) * 256), -4096, 4096)
    assert pr_auc(logit_histogram(truth, logits)) == pytest.approx(
        average_precision_score(truth.ravel(), rounded.ravel())
    )
    assert pr_auc(logit_histogram(truth, logits)) == pytest.approx(
        average_precision_score(truth.ravel(), logits.astype(np.float64).ravel()), abs=1e-3
    )


def test_the_sweep_goes_from_minus_16_to_16_in_steps_of_a_256th():
    found = thresholds()
    assert found.shape == (8193,) and found[[0, 4096, -1]].tolist() == [-16, 0, 16]
    assert (np.diff(found) == 1 / 256).all()
    histogram = logit_histogram(TRUTH, LOGITS)
    assert histogram.vessel.shape == histogram.background.shape == (8193,)
    assert np.flatnonzero(histogram.vessel).tolist() == [4096 - 512, 4096 + 256, 4096 + 768]


@pytest.mark.parametrize("threshold", [-16.0, -1.5, 0.0, 0.25, 4.0, 15.99609375, 16.0])
def test_counts_equal_those_of_the_cut_mask(threshold):
    truth, logits = noisy(7, scale=8.0)
    histogram = logit_histogram(truth, logits)
    expected = count_pixels(truth, logits.astype(np.float32) > threshold)
    if abs(threshold) < 16:  # at the ends lies what is beyond them, too
        assert counts_at(histogram, threshold) == expected
        assert dice_curve(histogram)[thresholds() == threshold].tolist() == [pytest.approx(dice(expected))]
    hits, alarms = sweep(histogram)
    assert (np.diff(hits) <= 0).all() and (np.diff(alarms) <= 0).all()


def test_a_logit_just_above_a_threshold_is_inside():
    tiny = np.float32(1e-30)
    logits = np.array([[tiny, -tiny, np.float32(0)]])
    counts = counts_at(logit_histogram(np.ones((1, 3), bool), logits), 0.0)
    assert (counts.tp, counts.fn) == (1, 2)


def test_histograms_of_cases_add_up():
    (truth, logits), (other_truth, other_logits) = noisy(1), noisy(2)
    together = logit_histogram(np.vstack([truth, other_truth]), np.vstack([logits, other_logits]))
    added = logit_histogram(truth, logits) + logit_histogram(other_truth, other_logits)
    assert np.array_equal(added.vessel, together.vessel) and np.array_equal(added.background, together.background)


def test_an_empty_mask_for_an_empty_truth_is_right():
    curve = dice_curve(logit_histogram(np.zeros((3, 3), bool), LOGITS))
    assert curve[0] == 0 and curve[-1] == 1


def test_a_mask_of_one_pixel_has_a_size():
    one = np.ones((1, 1), bool)
    assert dice_curve(logit_histogram(~one, np.zeros((1, 1))))[[0, 4096]].tolist() == [0, 1]
    assert dice_curve(logit_histogram(one, np.zeros((1, 1))))[[0, 4096]].tolist() == [1, 0]


def test_the_ends_take_what_lies_beyond_them():
    histogram = logit_histogram(np.array([[True, False, True]]), np.array([[-99.0, 99.0, 16.0]]))
    assert np.flatnonzero(histogram.vessel).tolist() == [0, 8192]
    assert np.flatnonzero(histogram.background).tolist() == [8192]
    assert counts_at(histogram, -500.0) == counts_at(histogram, -16.0) == PixelCounts(tp=1, fp=1, fn=1, tn=0)
    assert counts_at(histogram, 500.0) == PixelCounts(tp=0, fp=0, fn=2, tn=1)


def test_a_threshold_between_two_of_the_sweep_is_taken_to_the_lower_one():
    histogram = logit_histogram(np.ones((1, 2), bool), np.array([[1.0, 1.0 + 1 / 256]]))
    assert [counts_at(histogram, 1.0 + step / 256).tp for step in (-0.5, 0, 0.9, 1)] == [2, 1, 1, 0]
