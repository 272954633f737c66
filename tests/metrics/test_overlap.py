"""Overlap by hand, by scikit-learn, and by its properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from scipy.ndimage import binary_erosion
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from helpers.metrics.overlap import (
    PixelCounts,
    count_pixels,
    dice,
    iou,
    overlap_scores,
    precision,
    recall,
    specificity,
)
from tests.support.drawn_masks import drawn, faulty, filled_masks, masks, steady, vessel_tree

TRUTH = drawn("""
    .....
    .###.
    .###.
    .....
    .....
""")
FOUND = drawn("""
    .....
    ..###
    ..###
    .....
    .....
""")


def test_by_hand():
    counts = count_pixels(TRUTH, FOUND)
    assert counts == PixelCounts(tp=4, fp=2, fn=2, tn=17)
    assert overlap_scores(counts) == pytest.approx(
        {"dice": 2 / 3, "iou": 0.5, "precision": 2 / 3, "recall": 2 / 3, "specificity": 17 / 19}
    )


def test_counts_are_plain_integers():
    assert all(type(value) is int for value in vars(count_pixels(TRUTH, FOUND)).values())


@pytest.mark.parametrize(
    ("counts", "truth_empty", "prediction_empty"),
    [
        (PixelCounts(tp=0, fp=0, fn=0, tn=9), True, True),
        (PixelCounts(tp=0, fp=1, fn=0, tn=8), True, False),
        (PixelCounts(tp=0, fp=0, fn=1, tn=8), False, True),
        (PixelCounts(tp=1, fp=0, fn=0, tn=8), False, False),
        (PixelCounts(tp=0, fp=1, fn=1, tn=7), False, False),
    ],
)
def test_empty_masks_are_told_from_counts(counts, truth_empty, prediction_empty):
    assert (counts.truth_empty, counts.prediction_empty) == (truth_empty, prediction_empty)


def test_specificity_of_a_frame_full_of_vessel_is_undefined():
    assert math.isnan(specificity(count_pixels(np.ones((5, 5), bool), TRUTH)))


@pytest.mark.slow
def test_equals_scikit_learn_on_200_random_trees():
    rng = np.random.default_rng(1)
    for _ in range(200):
        truth = vessel_tree(rng, 48)
        found = faulty(truth, rng)
        counts, flat = count_pixels(truth, found), (truth.ravel(), found.ravel())
        assert dice(counts) == f1_score(*flat)
        assert iou(counts) == jaccard_score(*flat)
        assert precision(counts) == precision_score(*flat)
        assert recall(counts) == recall_score(*flat)


@steady
@given(masks(), masks())
def test_symmetry_and_bounds(one, other):
    there, back = count_pixels(one, other), count_pixels(other, one)
    assert dice(there) == dice(back) and iou(there) == iou(back)
    assert precision(there) == pytest.approx(recall(back), nan_ok=True) or not (one.any() and other.any())
    assert all(math.isnan(value) or 0 <= value <= 1 for value in overlap_scores(there).values())
    assert iou(there) == pytest.approx(dice(there) / (2 - dice(there)))


@steady
@given(filled_masks())
def test_a_mask_agrees_with_itself(mask):
    counts = count_pixels(mask, mask)
    assert dice(counts) == iou(counts) == precision(counts) == recall(counts) == 1


@steady
@given(filled_masks(), masks())
def test_eroding_the_prediction_never_raises_recall(truth, found):
    assert recall(count_pixels(truth, binary_erosion(found))) <= recall(count_pixels(truth, found))
