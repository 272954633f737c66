"""Change from frame to frame, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from helpers.metrics.temporal import TEMPORAL, end_gaps, step


def row(text):
    return np.array([[character == "#" for character in text]])


def test_flicker_is_change_that_the_truth_does_not_ask_for():
    found = step(row("##.."), row("###."), row("##.."), row("#.##"))
    # The masks hold 4 pixels together; 2 of the 3 that change are not of the truth's change (the third pixel).
    assert found.flicker == 2 / 4
    assert found.temporal_dice == pytest.approx(2 * 1 / (2 + 3))
    assert found.truth_dice == pytest.approx(2 * 2 / (2 + 3))


def test_empty_masks_do_not_flicker():
    found = step(row(".."), row("##"), row(".."), row(".."))
    assert (found.flicker, found.temporal_dice, found.truth_dice) == (0, 1, 0)


def test_a_mask_that_comes_out_of_nothing_flickers_whole():
    assert step(row("#.."), row("#.."), row("..."), row("##.")).flicker == 1


MASKS = arrays(bool, (3, 4))


@given(MASKS, MASKS, MASKS, MASKS)
def test_ranges_and_the_truth_itself(truth, next_truth, mask, next_mask):
    found = step(truth, next_truth, mask, next_mask)
    assert 0 <= found.flicker <= 1 and 0 <= found.temporal_dice <= 1
    same = step(truth, next_truth, truth, next_truth)
    assert same.flicker == 0 and same.temporal_dice == same.truth_dice
    assert step(truth, next_truth, mask, mask).flicker == 0


def test_gaps_are_between_the_middle_and_the_ends_of_frames_with_vessels():
    first, last = end_gaps([1, 0.5, 0.8, 0.6, 0.4, 0], [False, True, True, True, True, False])
    assert (first, last) == (pytest.approx(0.2), pytest.approx(0.3))


def test_gaps_need_three_frames_with_vessels():
    assert np.isnan(end_gaps([0.5, 0.6, 0.7], [True, True, False])).all()


def test_names_titles_and_what_is_better():
    assert [(metric.name, metric.title, metric.better) for metric in TEMPORAL] == [
        ("dice", "Dice", "higher"),
        ("cldice", "clDice", "higher"),
        ("flicker", "Flicker", "lower"),
        ("temporal_dice", "Temporal Dice", "as the truth"),
        ("temporal_dice_gap", "Temporal Dice, distance to the truth's", "lower"),
        ("first_gap", "First-frame gap", "lower"),
        ("last_gap", "Last-frame gap", "lower"),
    ]
