"""Agreement of reviewers, on tables one can work out by hand."""

import pytest

from helpers.review.agreement import agreement, agreements, preferences
from helpers.review.verdicts import Verdict
from tests.review.test_verdicts import record

A, F, R = Verdict


def verdicts(**given):
    return {
        name: {
            f"c{number}": record(number, f"c{number}", verdict, name) for number, verdict in enumerate(row) if verdict
        }
        for name, row in given.items()
    }


def test_kappa_by_hand():
    # The same 3 times of 4. By chance: accept 2/4 x 3/4, reject 2/4 x 1/4, together 1/2. So (3/4 - 1/2) / (1/2).
    found = agreement("ann", "bob", verdicts(ann=[A, A, R, R], bob=[A, A, A, R]))
    assert (found.cases, found.same) == (4, 3) and found.kappa == pytest.approx(0.5)
    assert found.table[R] == {A: 1, F: 0, R: 1}
    assert str(found) == "ann and bob: 3 of 4 verdicts the same, Cohen's kappa 0.500"


def test_only_cases_that_both_saw_count():
    found = agreement("ann", "bob", verdicts(ann=[A, R, None, F], bob=[A, R, R, None]))
    assert (found.cases, found.same, found.kappa) == (2, 2, 1.0)


@pytest.mark.parametrize("rows", [([A, A], [A, A]), ([A, None], [None, A]), ([None], [None])])
def test_kappa_is_not_defined_without_variety(rows):
    found = agreement("ann", "bob", verdicts(ann=rows[0], bob=rows[1]))
    assert found.kappa is None and "not defined" in str(found)


def test_every_two_reviewers_are_compared():
    found = agreements(verdicts(bob=[A], ann=[A], eve=[R]))
    assert [(one.first, one.second) for one in found] == [("ann", "bob"), ("ann", "eve"), ("bob", "eve")]


def test_which_run_a_reviewer_prefers():
    first, second = verdicts(ann=[A, F, R, A], bob=[A]), verdicts(ann=[F, F, A, None], eve=[R])
    assert preferences(("new", "old"), first, second) == [
        "ann: new better on 1, old better on 1, the same on 1 of 3 cases"
    ]
    assert preferences(("new", "old"), first, {}) == []
