"""Intervals: by hand, within the bounds of a score, honest about few units, and with the coverage that they claim."""

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from helpers.metrics.intervals import (
    Interval,
    Method,
    Scale,
    column_intervals,
    drawn_units,
    mean_interval,
    ratio_interval,
)

VALUES = np.random.default_rng(11).beta(8, 2, size=36)
SHARE, AMOUNT, DIFFERENCE = Scale


def ends(found):
    return found.low, found.high


def test_a_difference_has_students_interval():
    found = mean_interval(VALUES - 0.8, DIFFERENCE)
    expected = ttest_1samp(VALUES - 0.8, 0).confidence_interval(0.95)
    assert ends(found) == pytest.approx((expected.low, expected.high)) and found.method is Method.T
    assert found.estimate == pytest.approx(VALUES.mean() - 0.8) and (found.units, found.level) == (36, 0.95)


def test_a_share_has_it_on_the_logit_scale_by_hand():
    """Five patients at 0.5 and 0.9: mean 0.66, s = 0.219, se = 0.098, t(4) = 2.776, so 0.663 ± 1.212 in logits."""
    found = mean_interval(np.array([0.5, 0.5, 0.5, 0.9, 0.9]), SHARE)
    reach = t.ppf(0.975, 4) * np.sqrt(0.048 / 5) / (0.66 * 0.34)
    expected = [1 / (1 + np.exp(-(np.log(0.66 / 0.34) + sign * reach))) for sign in (-1, 1)]
    assert reach == pytest.approx(1.212, abs=5e-4)
    assert ends(found) == pytest.approx(tuple(expected)) and expected == pytest.approx([0.366, 0.867], abs=5e-4)
    assert found.method is Method.LOGIT_T


def test_an_amount_has_it_on_the_log_scale_by_hand():
    """Distances of 1, 2, 3, 4, 5: mean 3, se = sqrt(2.5 / 5) = 0.707, so a factor of exp(2.776 * 0.707 / 3) = 1.924."""
    found = mean_interval(np.arange(1.0, 6), AMOUNT)
    assert ends(found) == pytest.approx((3 / 1.924, 3 * 1.924), abs=2e-3) and found.method is Method.LOG_T


@pytest.mark.parametrize("values", [[1, 1, 1, 1, 0.9], [0, 0, 0, 0, 0.1]])
def test_the_ends_stay_within_the_bounds_of_a_share(values):
    low, high = ends(mean_interval(np.array(values, float), SHARE))
    assert 0 < low < np.mean(values) < high < 1


def test_units_without_a_value_are_left_out():
    assert mean_interval(np.append(VALUES, np.nan), SHARE) == mean_interval(VALUES, SHARE)


@pytest.mark.parametrize(
    ("units", "few", "known"), [(4, True, False), (5, True, True), (9, True, True), (10, False, True)]
)
def test_few_units_are_flagged_and_fewer_than_five_have_no_interval(units, few, known):
    found = mean_interval(VALUES[:units], SHARE)
    assert (found.few, found.low is not None, found.high is not None) == (few, known, known)
    assert found.method is (Method.LOGIT_T if known else None) and found.units == units


def test_no_unit_has_no_mean():
    assert mean_interval(np.array([np.nan]), SHARE) == Interval(None, None, None, 0)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("scale", Scale)
def test_equal_units_have_no_interval_and_say_so(value, scale):
    found = mean_interval(np.full(12, value), scale)
    assert found == Interval(pytest.approx(value), None, None, 12, Method.EQUAL)
    assert np.isnan(column_intervals(np.full((12, 2), value), scale)[1:]).all()
    assert mean_interval(np.full(4, value), scale).method is None, "too few says more"
    assert ratio_interval(np.arange(1, 7) * 0.3, np.arange(1, 7), SHARE).method is Method.EQUAL


def test_a_pooled_ratio_weighs_units_by_size_and_is_a_mean_of_units_of_one_size():
    found = ratio_interval(np.array([10, 0, 10, 5, 5]), np.array([10, 80, 10, 10, 10]), SHARE)
    assert found.estimate == 0.25
    # Residuals 7.5, -20, 7.5, 2.5, 2.5: se = sqrt(5 / 4 * 525) / 120 = 0.2135.
    # The five weigh as 120^2 / 6800 = 2.118: 1.118 degrees of freedom.
    reach = t.ppf(0.975, 120**2 / 6800 - 1) * np.sqrt(5 / 4 * 525) / 120 / (0.25 * 0.75)
    assert found.high == pytest.approx(1 / (1 + 3 * np.exp(-reach))) and found.units == 5
    mean = mean_interval(VALUES, SHARE)
    ratio = ratio_interval(VALUES * 7, np.full(36, 7), SHARE)
    assert (ratio.estimate, *ends(ratio)) == pytest.approx((mean.estimate, *ends(mean)))
    assert ratio_interval(np.zeros(6), np.zeros(6), SHARE).estimate is None


def test_columns_have_the_intervals_of_their_means():
    values = np.column_stack([VALUES[:8], np.append(VALUES[:5], [np.nan] * 3), np.append(VALUES[:4], [np.nan] * 4)])
    values = np.column_stack([values, np.full(8, np.nan)])
    for scale in Scale:
        middle, low, high = column_intervals(values, scale)
        for place in range(2):
            one = mean_interval(values[:, place], scale)
            assert (middle[place], low[place], high[place]) == pytest.approx((one.estimate, one.low, one.high))
        assert middle[2] == pytest.approx(VALUES[:4].mean()) and np.isnan([*low[2:], *high[2:], middle[3]]).all()


@pytest.mark.parametrize(("room", "rows"), [(1, [1, 1, 1]), (11, [2, 1]), (100, [3])])
def test_blocks_of_draws_hold_whole_draws(monkeypatch, room, rows):
    monkeypatch.setattr("helpers.metrics.intervals._BLOCK", room)
    blocks = list(drawn_units(5, draws=3))
    assert [block.shape for block in blocks] == [(count, 5) for count in rows]
    assert all(block.min() >= 0 and block.max() < 5 for block in blocks)


def test_as_a_part_of_a_row():
    found = mean_interval(np.array([0.2, 0.4]), SHARE)
    assert found.row() == {"mean": pytest.approx(0.3), "low": None, "high": None, "interval": None, "few": True}
    row = mean_interval(VALUES, AMOUNT).row("nll")
    assert list(row) == ["nll", "low", "high", "interval", "few"] and row["interval"] == "Student's t, log scale"
