"""Histograms by unit: their sums, and development cases apart from the scored ones."""

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.evaluation.chosen_threshold import filled, require_apart, unit_histograms
from helpers.metrics.threshold_curve import logit_histogram
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


@pytest.mark.parametrize(
    ("row", "word"),
    [(("a", "s9", "P9", 5), "case"), (("z", "s9", "P1", 5), "patient"), (("z", "s1", None, 5), "sequence")],
)
def test_what_both_hold_is_refused(row, word):
    scored = table(("a", "s1", "P1", 5))
    with pytest.raises(RefusedInput, match=f"1 {word} in both"):
        require_apart(scored, table(row))


def test_unknown_patients_are_not_one_patient():
    require_apart(table(("a", None, None, 5)), table(("b", None, None, 5)))
