"""Best and worst cases: which they are, what their panels hold, and what a run without them leaves."""

import numpy as np
import pandas as pd
import pytest

from helpers.evaluation.score_table import scores_table
from helpers.evaluation.scored_runs import ScoredRun
from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.notebook.case_pictures import case_sheet, masks_of, named_cases, ranked_cases
from helpers.notebook.evaluation_tables import median_case
from helpers.runs.run_folder import open_run
from tests.support.score_tables import of_patients
from tests.support.small_run import mask_of, write_data, write_run


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def scored_run(tmp_path):
    return ScoredRun("small:p2", open_run(write_run(tmp_path / "run")), "p2")


@pytest.fixture
def scores(scored_run):
    truth = mask_of(range(4))
    return scores_table(score_case(CaseArrays(case, truth, scored_run.mask(case))) for case in ("a", "b"))


def test_worst_and_best_are_different_cases():
    scores = of_patients([3, 9, 5, 7], frames=1)
    assert ranked_cases(scores, 2) == (["P0-F0", "P2-F0"], ["P1-F0", "P3-F0"])
    assert ranked_cases(scores, 3) == (["P0-F0", "P2-F0"], ["P1-F0", "P3-F0"])
    assert ranked_cases(scores[:1], 3) == (["P0-F0"], [])


def test_frames_where_nothing_is_to_be_seen_are_neither_best_nor_worst():
    nothing = np.zeros((4, 12), bool)
    empty = scores_table([score_case(CaseArrays(name, nothing, mask)) for name, mask in (("e", nothing), ("f", None))])
    assert empty["dice"].tolist() == [1, 1]
    scores = pd.concat([empty, of_patients([3, 9, 10], frames=1)], ignore_index=True)
    assert ranked_cases(scores, 1) == (["P0-F0"], ["P2-F0"])
    assert ranked_cases(empty, 3) == ([], [])
    assert median_case(scores) == "P1-F0" and median_case(empty) == "e"


def test_the_worst_the_middle_and_the_best_and_none_twice():
    assert named_cases(of_patients([3, 9, 5, 7, 6], frames=1)) == {
        "Worst case": "P0-F0", "Middle case": "P4-F0", "Best case": "P1-F0"
    }  # fmt: skip
    assert named_cases(of_patients([3, 9], frames=1)) == {"Worst case": "P0-F0", "Best case": "P1-F0"}
    assert named_cases(of_patients([3], frames=1)) == {"The only case": "P0-F0"}
    assert named_cases(of_patients([4, 4, 4], frames=1)) == {"One case of many with the same Dice": "P1-F0"}
    assert named_cases(of_patients([None, None], frames=1)) == {"One case of many with the same Dice": "P0-F0"}
    nothing = np.zeros((4, 12), bool)
    assert named_cases(scores_table([score_case(CaseArrays("e", nothing, nothing))])) == {}


def test_panels_with_scores_and_what_they_rest_on(scored_run, scores, data):
    figure = case_sheet(scored_run, scores, data.cases, ["b", "a"], "Worst")
    assert figure.get_suptitle() == "Worst of small:p2, 2 of 2 cases, sequences unknown, patients unknown"
    titles = [row.get_suptitle() for row in figure.subfigs]
    assert titles[0].startswith("b  |  no_seg  |  Dice 0.000")
    assert titles[1].startswith("a  |  ok  |  Dice 0.500") and "clDice" in titles[1] and "HD95 px" in titles[1]
    assert not any("TRAINING" in title for title in titles)
    told = case_sheet(scored_run, scores, data.cases, ["b"], "Worst", "training list unknown")
    assert told.get_suptitle().replace("\n", " ").endswith("patients unknown; training list unknown")
    seen = case_sheet(scored_run, scores.assign(training=["training", "unseen"]), data.cases, ["a", "b"], "Worst")
    assert ["TRAINING patient" in row.get_suptitle() for row in seen.subfigs] == [True, False]


def test_a_frame_that_cannot_be_read_is_said_to_be_so(scored_run, data):
    scores = scores_table([score_case(CaseArrays("c", mask_of(range(4)), None))])
    assert (
        "no frame of these cases can be read"
        in case_sheet(scored_run, scores, data.cases, ["c"], "Worst").get_suptitle()
    )


def test_masks_of_a_case(scored_run, scores, data):
    truth, mask = masks_of(scored_run, scores, data.cases, "a")
    assert np.array_equal(truth, mask_of(range(4))) and np.array_equal(mask, mask_of(range(2, 6)))
    assert not masks_of(scored_run, scores, data.cases, "b")[1].any()


def test_a_case_that_the_run_lacks_is_missing(scored_run):
    assert scored_run.mask("z") is None and scored_run.status("z") == "missing" and scored_run.status("b") == "no_seg"
