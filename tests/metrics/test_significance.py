"""Sign flips, signed ranks and Holm's correction, by hand and by their properties."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from helpers.metrics.significance import holm, sign_flip_p, wilcoxon_p
from tests.support.drawn_masks import steady


def test_sign_flip_by_hand():
    """Of the 8 sign patterns of 1, 2, 3, the sum reaches 6 in size with all plus and all minus."""
    assert sign_flip_p(np.array([1.0, 2.0, 3.0])) == 2 / 8
    assert sign_flip_p(np.array([1.0, -2.0, 3.0])) == 6 / 8
    assert sign_flip_p(np.zeros(5)) == 1


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([5.0], 1.0),  # both signs are as large as the observed
        ([1.0, 1.0], 2 / 4),
        ([1.0, -1.0], 1.0),
        ([0.1, 0.2, -0.3], 1.0),  # 5.5e-17 in floating point, which the patterns whose sum is 0 reach, too
        ([0.0, 2.0, 2.0, 2.0], 4 / 16),  # a zero has both signs
        ([-4.0, -3.0, -2.0, -1.0], 2 / 16),
        ([4.0, 3.0, 2.0, -1.0], 4 / 16),  # 10 and 8, on both sides
    ],
)
def test_all_patterns_by_hand(differences, p):
    assert sign_flip_p(np.array(differences)) == p
    assert sign_flip_p(-np.array(differences)[::-1]) == p


def test_a_random_pattern_counts_where_it_is_as_large_as_the_observed():
    """One unit of 14 is not zero, so that every pattern is as large; the observed one is counted among them."""
    assert sign_flip_p(np.eye(14)[3], draws=10) == 1
    assert sign_flip_p(np.arange(14.0), draws=0) == 1


def test_p_values_that_were_recorded_stay():
    """Other patterns than those of numpy's generator, seeded, would move them."""
    values = np.arange(20) - 7.0
    assert sign_flip_p(values) == pytest.approx(748 / 10_001, abs=1e-12)
    assert sign_flip_p(values, seed=1) != sign_flip_p(values) != sign_flip_p(values, draws=5_000)


def test_random_signs_agree_with_all_signs():
    values = np.random.default_rng(3).normal(0.3, 1, size=14)
    patterns = np.array(list(itertools.product([-1, 1], repeat=14)))
    exact = np.mean(np.abs(patterns @ values) >= abs(values.sum()) - 1e-12)
    assert sign_flip_p(values) == pytest.approx(exact, abs=0.015)
    assert sign_flip_p(values) == sign_flip_p(values)


def test_all_signs_are_tried_up_to_13_units_and_the_observed_ones_count_beyond():
    assert sign_flip_p(np.ones(13)) == 2 / 2**13
    assert sign_flip_p(np.ones(14), draws=100) == pytest.approx(1 / 101)  # no random pattern reaches it


def test_wilcoxon_treats_rounding_as_ties():
    values = np.array([0.1 + 0.2 - 0.3, 0.3, 0.1 + 0.2, -0.3, 0.3, 0.2, 0.1, 0.4, 0.2, 0.1])
    assert wilcoxon_p(values) == wilcoxon_p(np.round(values, 6))
    assert wilcoxon_p(np.zeros(10)) == 1


def test_wilcoxon_ranks_zeros_first_and_leaves_them_out():
    """Zero, then 1, 2, 3: Pratt's ranks of these are 2, 3, 4; other treatments give 1, 2, 3."""
    values = np.array([0.0, 1.0, 2.0, -3.0, 4.0, 5.0])
    assert wilcoxon_p(values) == wilcoxon(values, zero_method="pratt").pvalue != wilcoxon(values).pvalue
    assert wilcoxon_p(np.array([3.0])) == 1  # one rank of either sign


@steady
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=4), st.lists(st.booleans(), min_size=1, max_size=13))
def test_few_units_have_the_p_value_of_scipy(tied, above):
    """With ties and zeros, which take scipy long; without them."""
    for values in (np.array(tied) * 0.1, np.arange(1, len(above) + 1) * np.where(above, 0.1, -0.1)):
        if values.any():
            assert wilcoxon_p(values) == wilcoxon(np.round(values, 12), zero_method="pratt").pvalue


def test_signed_ranks_of_thirteen_units_and_more():
    ties = np.array([0, 1, 1, -1, 2, 2, -3, 3, 4, 5, -6, 7, 8]) / 8
    assert wilcoxon_p(ties) == 872 / 2**13  # as scipy gives it in two seconds
    assert wilcoxon_p(np.arange(1, 14) / 8) == 2 / 2**13
    assert wilcoxon_p(np.append(ties, 1)) == wilcoxon(np.append(ties, 1), zero_method="pratt").pvalue


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, np.nan, 0.03])) == pytest.approx([0.03, 0.06, np.nan, 0.06], nan_ok=True)
    assert np.isnan(holm(np.full(3, np.nan))).all()


@steady
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_only_raises_and_keeps_the_order(values):
    raw = np.array(values)
    found = holm(raw)
    assert (found >= raw).all() and (found <= 1).all()
    assert (np.diff(found[np.argsort(raw, kind="stable")]) >= 0).all()


def test_holm_stops_at_one_and_leaves_no_gap():
    """Of 0.5, 0.02, 0.9: 0.02 is taken thrice, 0.5 twice, 0.9 once, and none is below the one before."""
    assert holm(np.array([0.5, 0.02, 0.9])).tolist() == [1.0, 0.06, 1.0]
    assert holm(np.array([0.03, 0.03])).tolist() == [0.06, 0.06]
    assert holm(np.array([0.2])).tolist() == [0.2] and holm(np.array([])).size == 0
