"""Histograms by unit: their sums, folds of whole units, and development cases apart from the scored ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.errors import RefusedInput
from helpers.evaluation.chosen_threshold import filled, require_apart, unit_histograms
from helpers.metrics.threshold_curve import ChosenBy, folds, is_flat, logit_histogram, resampled_counts
from tests.support.drawn_masks import steady
from tests.support.score_tables import TRUTH, table

HALF = logit_histogram(TRUTH, np.where(TRUTH, 1.0, -1.0))
GRADED = logit_histogram(TRUTH, np.linspace(-3, 3, TRUTH.size).reshape(TRUTH.shape))


def test_cases_of_a_unit_are_summed_and_those_without_logits_left_out():
    scores = table(("a", "s1", "P1", 5), ("b", "s2", "P1", 5), ("c", "s3", "P2", 5), ("d", "s4", "P3", None))
    found = unit_histograms(scores, {"a": HALF, "b": GRADED, "c": HALF})
    assert found.names == ("P1", "P2") and found.cases == 3
    assert np.array_equal(found.vessel[0], HALF.vessel + GRADED.vessel)
    assert found.pooled().vessel.sum() == 30 and np.array_equal(found.pooled([1]).background, HALF.background)
    assert np.array_equal(found.pooled().background, 2 * HALF.background + GRADED.background)


def test_no_logits_at_all_make_no_unit():
    found = unit_histograms(table(("a", None, None, 5)), {})
    assert found.names == () and found.cases == 0 and found.vessel.shape == (0, 8193)


def test_a_case_without_logits_is_empty_at_every_threshold():
    (empty,) = filled(table(("a", None, None, None)), {})
    assert empty.vessel[0] == 10 and empty.background[0] == TRUTH.size - 10
    assert empty.vessel[1:].sum() == empty.background[1:].sum() == 0


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


@pytest.mark.parametrize(
    ("row", "word"),
    [(("a", "s9", "P9", 5), "case"), (("z", "s9", "P1", 5), "patient"), (("z", "s1", None, 5), "sequence")],
)
def test_what_both_hold_is_refused(row, word):
    scored = table(("a", "s1", "P1", 5))
    with pytest.raises(RefusedInput, match=f"1 {word}s in both"):
        require_apart(scored, table(row))


def test_unknown_patients_are_not_one_patient():
    require_apart(table(("a", None, None, 5)), table(("b", None, None, 5)))


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
