"""The tables of a run that notebooks show, on three cases and two prompts."""

import dataclasses

import pytest

from helpers.notebook.run_tables import (
    agreement_tables,
    other_than_ok,
    prediction_table,
    prompt_table,
    status_table,
    time_table,
)
from helpers.runs.run_folder import open_run
from tests.support.small_run import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return open_run(write_run(tmp_path_factory.mktemp("tables") / "run"))


def test_one_row_for_each_case_and_prompt(run):
    table = prediction_table(run)
    assert list(zip(table["case_id"], table["prompt_id"], strict=True)) == [(c, p) for c in "abc" for p in ("p1", "p2")]


def test_statuses_are_counted_for_each_prompt(run):
    table = status_table(run).set_index("status")
    assert table.index[0] == "ok" and table["p1"].to_dict() == {"ok": 2, "read_error": 1, "no_seg": 0}
    assert table["p2"].to_dict() == {"ok": 1, "read_error": 1, "no_seg": 1}


def test_what_ended_otherwise_than_ok_is_listed_with_what_was_said(run):
    table = other_than_ok(run)
    assert set(table["status"].astype(str)) == {"read_error", "no_seg"} and len(table) == 3
    fine = dataclasses.replace(run, rows=tuple(row for row in run.rows if row.status == "ok"))
    assert other_than_ok(fine).values.tolist() == [["none"]]


def test_prompts_are_summed_up(run):
    table = prompt_table(run)
    assert table["prompt"].tolist() == ["vessel", "<b>vessels</b>"]
    assert table["cases with a mask"].tolist() == [2, 1] and table["median mask fraction"].tolist() == [0.0417] * 2


def test_agreement_counts_only_cases_with_both_masks(run):
    pairs, cases = agreement_tables(run)
    assert cases["case_id"].tolist() == ["a", "b", "c"]
    assert cases["p1 and p2"].tolist()[0] == 0.5 and cases["p1 and p2"].isna().tolist() == [False, True, True]
    assert pairs.values.tolist() == [["p1 and p2", 1, 0.5, 0.5, "a"]]


def test_one_prompt_has_nothing_to_agree_with(run):
    config = dataclasses.replace(run.config, values={**run.config.values, "prompts": {"p1": "vessel"}})
    assert agreement_tables(dataclasses.replace(run, config=config)) == ()


def test_times_of_cases_that_the_model_saw(run):
    table = time_table(run).set_index("stage")
    assert table.loc["predict"].tolist() == [3.0, 1.5, 2.0] and table.loc["read", "sum"] == 3.0
