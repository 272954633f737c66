"""What an order of cases is worth, on ten cases."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.metrics.queue_ranking import first_of, found_early, risk_area, silent_failures

SCORES = np.array([0.1, 0.2, 0.9, 0.8, 0.7, 0.9, 0.8, 0.9, 0.9, 0.9])  # the first is the worst tenth of ten


def test_the_worst_case_is_found_in_the_first_two_of_ten():
    assert found_early(1 - SCORES, SCORES) == 1.0 and found_early(SCORES, SCORES) == 0.0
    assert found_early(np.zeros(10), SCORES) == pytest.approx(0.2), "no order: by chance"
    third = np.array([1, 1, 2, 0, 0, 0, 0, 0, 0, 0])
    assert found_early(third, SCORES) == 0.5, "one place is left for two"
    assert found_early(np.array([np.inf, 3, 2, *range(-7, 0)]), SCORES) == 1.0


@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.data())
def test_ties_are_the_mean_over_all_orders(values, data):
    count = data.draw(st.integers(0, len(values)))
    doubt = np.array(values)
    orders = [sorted(range(len(values)), key=lambda place: (-doubt[place], order[place])) for order in _orders(values)]
    expected = np.mean([[place in order[:count] for place in range(len(values))] for order in orders], axis=0)
    assert first_of(doubt, count) == pytest.approx(expected) and first_of(doubt, count).sum() == pytest.approx(count)


def _orders(values):
    return list(permutations(range(len(values))))


def test_silent_failures_are_bad_and_sure():
    assert silent_failures(SCORES, SCORES).tolist() == [True] + [False] * 9
    assert not silent_failures(1 - SCORES, SCORES).any()
    assert silent_failures(np.zeros(10), SCORES).sum() == 1, "without differences none is unsure"


def test_risk_area_by_hand():
    """Losses 0, 0.5, 1 in order of doubt: means 0, 0.25, 0.5."""
    score = np.array([1.0, 0.5, 0.0])
    assert risk_area(np.array([1, 2, 3]), score) == pytest.approx(0.25)
    assert risk_area(np.array([3, 2, 1]), score) == pytest.approx((1 + 0.75 + 0.5) / 3)
    assert risk_area(np.zeros(3), score) == pytest.approx(0.5), "the mean loss"
