"""Titles say of every number whose scores it is."""

import pandas as pd
import pytest

from helpers.evaluation.leakage.standing import (
    COLUMN,
    Counts,
    Source,
    Standing,
    Standings,
    counts,
    joint,
    joint_title,
    p_value_note,
    standing_note,
    title,
    title_of,
    titled,
    trained_units,
)
from helpers.evaluation.score_table import Unit

T, N, U = Standing.TRAINING, Standing.UNSEEN, Standing.UNKNOWN


def table(*standings, patient=True):
    rows = [(f"c{number}", f"P{number // 2}" if patient else None, None) for number in range(len(standings))]
    found = pd.DataFrame(rows, columns=["case_id", "patient", "sequence"], dtype=object)
    return found.assign(**{COLUMN: [str(one) for one in standings]})


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0, 12, 0), "patients that training never saw (12)"),
        ((12, 0, 0), "TRAINING patients (12)"),
        ((3, 9, 0), "12 patients, 3 of them TRAINING patients"),
        ((0, 0, 12), "training list unknown"),
        ((3, 0, 9), "12 patients, 3 of them TRAINING patients, training list unknown for 9 patients"),
        ((0, 3, 9), "training list unknown for 9 patients"),
    ],
)
def test_titles(numbers, said):
    assert title(Counts(Unit.PATIENT, *numbers)) == said


def test_titles_of_other_units_and_of_what_was_left_out():
    assert title(Counts(Unit.SEQUENCE, 2, 0, 3)) == (
        "5 sequences, 2 of them of TRAINING patients, training list unknown for 3 sequences"
    )
    assert title(Counts(Unit.CASE, 4, 0, 0)) == "TRAINING patients (4 cases)"
    never = "patients that training never saw"
    assert title(Counts(Unit.PATIENT, 0, 9, 0), 3) == f"{never} (9), 3 TRAINING patients left out"
    assert title(Counts(Unit.PATIENT, 0, 0, 9), 1) == "training list unknown, 1 TRAINING patient left out"


def test_a_tuned_baseline_has_no_training_list():
    assert title(Counts(Unit.PATIENT, 0, 0, 12), tuned=True) == "tuning cases unknown"
    assert title(Counts(Unit.PATIENT, 0, 11, 1), tuned=True) == "tuning cases unknown for 1 patient"
    assert title(Counts(Unit.PATIENT, 0, 12, 0), tuned=True) == "patients that training never saw (12)"
    assert Standings({}, (Source.TUNED,)).is_tuned and not Standings({}, (Source.LIST, Source.TUNED)).is_tuned


def test_one_frame_in_training_makes_a_training_patient():
    assert counts(table(T, U, N, N, N, U)) == Counts(Unit.PATIENT, 1, 1, 1)
    assert counts(table(T, U, N, patient=False)) == Counts(Unit.CASE, 1, 1, 1)
    assert counts(table(N, N).drop(columns=COLUMN)) == Counts(Unit.PATIENT, 0, 0, 1)
    assert Counts(Unit.PATIENT, 1, 2, 3).to_json() == {"unit": "patient", "training": 1, "unseen": 2, "unknown": 3}


def test_two_runs_together_are_unseen_only_where_both_are():
    both = joint([table(T, N, N, U), table(N, T, N, N)])
    assert list(both[COLUMN]) == ["training", "training", "unseen", "unknown"]
    assert list(joint([table(N, N), table(N, N).drop(columns=COLUMN)])[COLUMN]) == ["unknown", "unknown"]
    assert trained_units([table(T, N, N, N), table(N, N, N, N)]) == {"P0"}
    assert trained_units([table(N, N).drop(columns=COLUMN)] * 2) == frozenset()


def test_titles_of_several_runs():
    assert joint_title({"a": "x", "b": "x"}) == "x"
    assert joint_title({"a": "x", "b": "y"}) == "a: x; b: y"
    summary = {"standing": {"title": "a: x; b: y", "runs": [{"run": "a", "title": "x"}, {"run": "b", "title": "y"}]}}
    assert (title_of(summary), title_of(summary, "b"), title_of(summary, "c")) == ("a: x; b: y", "y", "a: x; b: y")
    assert title_of({}) == title_of({}, "a") == "training list unknown"
    assert titled("Headline", {"title": "x"}) == "Headline: x" and titled("Headline", None) == titled("Headline", {})


@pytest.mark.parametrize(
    ("numbers", "begins"),
    [
        ((12, 0, 0), "no p-value: a or b was trained on frames of all 12 patients. Compare them on patients that"),
        ((5, 9, 0), "no p-value: a or b was trained on frames of 5 of 14 patients, and 9 others are too few. Compare"),
        ((4, 6, 4), "p-values rest on the 10 patients that are not of TRAINING patients; means"),
    ],
)
def test_what_is_said_of_p_values(numbers, begins):
    assert p_value_note(Counts(Unit.PATIENT, *numbers), "a", "b").startswith(begins)


def test_nothing_is_said_of_p_values_where_training_saw_nobody():
    assert p_value_note(Counts(Unit.PATIENT, 0, 3, 4), "a", "b") is None


def test_the_first_table_stays_but_for_the_standing():
    first, second = table(N, T, U), table(N, N, T).assign(case_id="other")
    found = joint([first, second])
    assert found["case_id"].tolist() == ["c0", "c1", "c2"]
    assert found[COLUMN].tolist() == [str(N), str(T), str(T)]
    assert joint([first, second.drop(columns=COLUMN)])[COLUMN].tolist() == [str(U), str(T), str(U)]


def test_beside_a_case_stands_that_its_patient_was_trained_on():
    assert [standing_note(one) for one in ("training", "unseen", "unknown", None)] == ["TRAINING patient", "", "", ""]


def test_units_of_training_are_those_that_are_asked_for():
    tables = [table(T, N, N, N).assign(sequence=["S0", "S1", "S2", "S3"])]
    assert trained_units(tables) == {"P0"} and trained_units(tables, Unit.SEQUENCE) == {"S0"}
    assert trained_units(tables, Unit.CASE) == {"c0"}
