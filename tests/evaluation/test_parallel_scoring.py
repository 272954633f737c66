"""Many cases, in order, by one process or two."""

from functools import partial

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.evaluation import case_arrays
from helpers.evaluation.case_arrays import score_many
from helpers.metrics.case_scores import CaseArrays
from tests.support.bars import recorded
from tests.support.drawn_masks import faulty, vessel_tree


def made(side: int, number: int) -> CaseArrays:
    rng = np.random.default_rng(number)
    truth = vessel_tree(rng, side)
    return CaseArrays(f"c{number}", truth, faulty(truth, rng) if number % 5 else None)


def wrong(number: int) -> CaseArrays:
    return CaseArrays(f"c{number}", np.zeros((4, 4), bool), np.zeros((number, 4), bool))


@pytest.fixture
def from_ten(monkeypatch):
    """A process for each ten cases."""
    monkeypatch.setattr(case_arrays, "_CASES_A_PROCESS", 10)


@pytest.mark.slow
def test_two_processes_give_what_one_gives(from_ten):
    load = partial(made, 32)
    one, two = (score_many(load, range(20), processes, progress=False) for processes in (1, 2))
    assert [case.case_id for case in two] == [f"c{number}" for number in range(20)]
    for here, there in zip(one, two, strict=True):
        assert (here.outcome, here.prediction_digest, here.counts) == (
            there.outcome,
            there.prediction_digest,
            there.counts,
        )
        assert here.values == pytest.approx(dict(there.values), nan_ok=True)


@pytest.mark.parametrize(
    ("cases", "asked", "started"), [(16, 2, 0), (399, 8, 1), (400, 1, 1), (400, 8, 2), (1220, 2, 2), (1220, 16, 6)]
)
def test_the_number_of_processes_follows_from_that_of_cases(monkeypatch, cases, asked, started):
    seen = []
    monkeypatch.setattr(case_arrays, "parallel_map", lambda work, keys, processes, chunk: seen.append(processes) or [])
    score_many(made, range(cases), asked, progress=False)
    assert seen == [started]


def test_few_cases_start_no_process():
    keys = []
    score_many(lambda key: keys.append(key) or made(32, key), range(16), processes=2, progress=False)
    assert keys == list(range(16))


def test_with_one_process_everything_runs_in_this_one():
    keys = []
    (found,) = score_many(lambda key: keys.append(key) or made(32, key), [3], processes=1, progress=False)
    assert found.case_id == "c3" and keys == [3]


def test_the_bar_is_shown_unless_it_is_not_wanted():
    with recorded() as seen:
        score_many(partial(made, 32), [1, 2], processes=1, progress=False)
        assert not seen.told
        score_many(partial(made, 32), [1, 2], processes=1)
    assert seen.ends == {"scoring": 2} and seen.told[0] == ("begun", "scoring", 2, "case", 0, 0)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_case_that_cannot_be_scored_stops_the_batch(processes, from_ten):
    with pytest.raises(RefusedInput, match="case c5"):
        score_many(wrong, [*[4] * 20, 5], processes, progress=False)
