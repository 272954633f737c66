"""Folds of whole units, their draws, and logits of two values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.errors import RefusedInput
from helpers.metrics.threshold_curve import ChosenBy, folds, is_flat, logit_histogram, resampled_counts
from tests.support.drawn_masks import steady
from tests.support.score_tables import TRUTH

HALF = logit_histogram(TRUTH, np.where(TRUTH, 1.0, -1.0))
GRADED = logit_histogram(TRUTH, np.linspace(-3, 3, TRUTH.size).reshape(TRUTH.shape))


def test_where_a_parameter_comes_from_has_the_words_that_summaries_hold():
    assert list(ChosenBy) == ["development", "cross-validation"]


def test_two_values_of_logits_are_flat():
    assert is_flat({"a": HALF, "b": HALF}) and not is_flat({"a": HALF, "b": GRADED})
    one_more = logit_histogram(TRUTH, np.where(TRUTH, 1.0, 0.5))
    assert is_flat({"b": one_more}) and not is_flat({"a": HALF, "b": one_more})


@steady
@given(units=st.integers(2, 40), count=st.integers(2, 8))
def test_each_unit_is_in_one_fold(units, count):
    dealt = folds(units, count)
    assert sorted(np.concatenate(dealt)) == list(range(units))
    assert len(dealt) == min(units, count) and max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_one_unit_has_nothing_to_choose_on():
    with pytest.raises(RefusedInput, match="at least 2 independent units"):
        folds(1)


def test_draws_hold_as_many_units_as_there_are():
    blocks = list(resampled_counts(5, draws=100, seed=1))
    counts = np.concatenate(blocks)
    assert counts.shape == (100, 5) and (counts.sum(axis=1) == 5).all() and len(np.unique(counts, axis=0)) > 20


def test_units_are_dealt_into_five_folds_from_a_seed():
    dealt = folds(12)
    assert [fold.size for fold in dealt] == [3, 3, 2, 2, 2]
    assert [fold.tolist() for fold in folds(12)] == [fold.tolist() for fold in dealt]
    assert [fold.tolist() for fold in folds(12, seed=1)] != [fold.tolist() for fold in dealt]
    assert [fold.size for fold in folds(2)] == [1, 1]
