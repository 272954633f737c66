"""A review of a run of which a case was predicted again: what was said of the others stands, everywhere."""

from dataclasses import replace

import pytest

from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.review.review_source import open_source
from helpers.review.session import ReviewSession
from helpers.review.verdicts import Verdict, VerdictStore
from helpers.review.viewer_facts import review_facts
from tests.review.test_verdicts import record
from tests.support.review_runs import FAILED, GRIDDED, SAME, predict_again, write_data, write_run


@pytest.fixture
def reviewed(tmp_path):
    """A run and its data set; two reviewers judged three cases, of which the last was then predicted again."""
    dataset = write_data(tmp_path / "data")
    write_run(tmp_path / "run")
    source = open_source(tmp_path / "run", dataset)
    for reviewer in ("ann", "bob"):
        session = ReviewSession(source.cases, VerdictStore(tmp_path / "v"), reviewer, source.run, source.prompt)
        for case_id in (GRIDDED, SAME, FAILED):
            session.give(Verdict.REJECT, case_id=case_id)
    predict_again(tmp_path / "run", FAILED)
    return tmp_path, dataset


def test_verdicts_stand_on_all_cases_but_the_one_that_is_another_now(reviewed):
    folder, dataset = reviewed
    source = open_source(folder / "run", dataset)
    session = ReviewSession(source.cases, VerdictStore(folder / "v"), "ann", source.run, source.prompt)
    assert set(session.verdicts) == {GRIDDED, SAME} and session.elsewhere == 2
    given = review_facts(source, VerdictStore(folder / "v").records())["verdicts"]
    assert sorted((one["reviewer"], one["case_id"]) for one in given) == [
        (reviewer, case_id) for reviewer in ("ann", "bob") for case_id in (GRIDDED, SAME)
    ]


def test_a_record_of_an_earlier_version_stands_while_the_run_is_what_it_was(tmp_path):
    dataset = write_data(tmp_path / "data")
    source = open_source(write_run(tmp_path / "run"), dataset)
    before = record(1, SAME, run=source.run)
    assert source.places(before) == (0,) and source.places(replace(before, case_id="nobody")) == ()
    again = open_source(predict_again(tmp_path / "run", FAILED), dataset)
    assert again.places(before) == ()


def test_verdicts_on_two_runs_are_told_apart_after_one_was_predicted_again(tmp_path):
    dataset = write_data(tmp_path / "data")
    write_run(tmp_path / "run")
    write_run(tmp_path / "other", seed=7)
    both = open_source(tmp_path / "run", dataset, against=tmp_path / "other")
    mine, theirs = (record(place, GRIDDED, prediction=both.predictions(GRIDDED)[place]) for place in (0, 1))
    predict_again(tmp_path / "other", FAILED)
    again = open_source(tmp_path / "run", dataset, against=tmp_path / "other")
    assert (again.places(mine), again.places(theirs)) == ((0,), (1,))


def test_scores_of_what_is_there_no_more_are_left_out_and_it_is_said(tmp_path, caplog):
    dataset = write_data(tmp_path / "data")
    run = write_run(tmp_path / "run")
    evaluate([run], dataset, tmp_path / "m", processes=1, draws=20)
    metrics = open_metrics(tmp_path / "m")
    assert FAILED in open_source(run, dataset, metrics=metrics).scores and not caplog.records
    source = open_source(predict_again(run, FAILED), dataset, metrics=metrics)
    assert FAILED not in source.scores and GRIDDED in source.scores
    assert "1 of 5 cases without scores here: predicted again" in caplog.text
    assert next(case for case in source.cases if case.case_id == FAILED).scores == {}
