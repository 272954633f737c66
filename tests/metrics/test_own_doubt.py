"""What a map says of its own mask, on a few pixels."""

import numpy as np
import pytest

from helpers.metrics.own_doubt import expected_dice, in_bright_part, is_graded, own_doubt


def test_expected_dice_by_hand():
    """Two pixels of the mask hold 0.9 and 0.7, one beside it 0.4: 2 * 1.6 / (2.0 + 2)."""
    probabilities, mask = np.array([[0.9, 0.7, 0.4]]), np.array([[True, True, False]])
    assert expected_dice(probabilities, mask) == pytest.approx(2 * 1.6 / 4)
    assert expected_dice(mask.astype(float), mask) == 1.0
    nothing = np.zeros((1, 3), bool)
    assert expected_dice(np.zeros((1, 3)), nothing) == 1.0
    assert expected_dice(np.array([[0.1, 0.3, 0.0]]), nothing) == pytest.approx(0.7), "the chance of no vessel"


def test_the_map_of_a_hard_mask_is_not_graded():
    assert not is_graded(np.array([[-4.0, 4.0, 4.0]])) and not is_graded(np.zeros((2, 2)))
    assert is_graded(np.array([[-4.0, 4.0, 3.9]]))


def test_doubt_is_highest_where_both_answers_are_as_likely():
    assert own_doubt(np.array([[0.0, 0.5, 1.0]])).tolist() == [[0.0, 0.25, 0.0]]


def test_the_bright_part_shares_ties_out():
    """Of 20 pixels 5 % is one. Two are as bright: each is half in it."""
    values, where = np.zeros((4, 5)), np.zeros((4, 5), bool)
    values[0, 0] = values[0, 1] = 1.0
    where[0, 1] = where[2, 2] = True
    assert in_bright_part(where, values) == 0.5
    values[0, 1] = 2.0
    assert in_bright_part(where, values) == 1.0
    assert in_bright_part(where, np.zeros((4, 5))) == pytest.approx(2 / 20), "a flat map takes 5 % of anything"
    assert in_bright_part(where, values, share=1.0) == 2.0


@pytest.mark.parametrize("dark", [0.0, 0.9, 0.99])
def test_the_bright_part_is_that_of_all_pixels_sorted(dark):
    rng = np.random.default_rng(0)
    values = np.where(rng.random((40, 50)) < dark, 0.001, rng.random((40, 50)))
    edge = np.sort(values.ravel())[-100]
    above, level = values > edge, values == edge
    where = rng.random((40, 50)) < 0.3
    expected = (where & above).sum() + (where & level).sum() * (100 - above.sum()) / level.sum()
    assert in_bright_part(where, values) == pytest.approx(expected)
