"""The one sentence of an evaluation, where all is known and in every case where something is not."""

import copy

import pytest

from helpers.evaluation.headline import headline, official_check_lines

ROW = {
    "metric": "dice", "mean": 0.8, "low": 0.75, "high": 0.85, "unit": "patient",
    "n_units": 12, "n_cases": 96, "n_sequences": 24, "n_patients": 12,
}  # fmt: skip
PAIRED = {**ROW, "difference": -0.05, "low": -0.08, "high": -0.02}  # the other less the first
UNSEEN = "patients that training never saw (12)"

CHECK = {
    "outcome": "same",
    "receipt": {"created": "2026-11-30T02:00:00+00:00", "frames": 3},
    "tensors": {"cause": None},
    "frames": 3,
    "seam": None,
    "seg_difference": 2e-6,
    "mask_pixels": [0, 786432],
}
MODEL = {"folder_name": "my-model", "tensors_sha256": "ab"}


def summary(row=None, outcomes=None, title=UNSEEN, comparisons=(), cases=96):
    return {
        "dataset": {"cases": cases},
        "runs": [
            {
                "name": "ours",
                "summary": [{**ROW, "metric": "iou", "mean": 0.7}, {**ROW, **(row or {})}],
                "outcomes": {"scored": 96, "failed": 0, "missing": 0} | (outcomes or {}),
            }
        ],
        "standing": {"title": "of all runs", "runs": [{"run": "ours", "title": title}]},
        "comparisons": list(comparisons),
    }


def compared(second="frangi", row=None, identical=0):
    return {"second": second, "identical": identical, "metrics": [{**PAIRED, **(row or {})}]}


def test_all_is_known():
    assert headline(summary(comparisons=[compared()])) == (
        "ours: mean Dice 0.800 (95 % interval 0.750 to 0.850), 96 cases of 12 patients; scores of patients that "
        "training never saw (12). Difference from frangi, paired on the same 96 cases: +0.050 (+0.020 to +0.080)."
    )


def test_without_another_run_nothing_is_claimed_of_one():
    assert headline(summary()).endswith("(12). No other run was given to compare with.")


def test_one_patient_has_no_interval():
    one = {"low": None, "high": None, "n_units": 1, "n_patients": 1, "n_cases": 40}
    said = headline(summary(one, comparisons=[compared(row=one)], cases=40))
    assert said.startswith("ours: mean Dice 0.800 (no interval from 1 patient), 40 cases of 1 patient (fewer than 10);")
    assert said.endswith("Difference from frangi, paired on the same 40 cases: +0.050 (no interval from 1 patient).")


def test_equal_patients_have_no_interval():
    equal = {"low": None, "high": None, "interval": "none: all units equal"}
    assert "ours: mean Dice 0.800 (no interval: all 12 patients equal), 96 cases" in headline(summary(equal))


def test_few_patients_are_said_to_be_few():
    assert "96 cases of 6 patients (fewer than 10);" in headline(summary({"n_units": 6, "n_patients": 6}))


def test_unknown_patients():
    row = {"unit": "sequence", "n_units": 24, "n_patients": None}
    assert "96 cases, 24 sequences, patients unknown;" in headline(summary(row))
    row = {"unit": "case", "n_units": 4, "n_cases": 4, "n_patients": None, "n_sequences": None}
    assert "4 cases (fewer than 10), patients unknown;" in headline(summary(row, cases=4))


def test_cases_without_ground_truth_are_not_counted_as_scored():
    assert "), 90 of the data set's 96 cases, 12 patients;" in headline(summary({"n_cases": 90}))


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("TRAINING patients (12)", "; scores of TRAINING patients (12)."),
        ("training list unknown", "; training list unknown."),
        ("12 patients, 3 of them TRAINING patients", "; scores of 12 patients, 3 of them TRAINING patients."),
    ],
)
def test_whose_scores(title, said):
    assert said in headline(summary(title=title))


def test_an_evaluation_that_did_not_ask_about_training_says_unknown():
    old = copy.deepcopy(summary())
    del old["standing"]
    assert "; training list unknown." in headline(old)


def test_failures_are_counted():
    said = headline(summary(outcomes={"scored": 93, "failed": 2, "missing": 1}))
    assert "96 cases of 12 patients; 3 without a mask count as empty; scores of" in said


def test_where_all_failed_no_mean_is_given():
    said = headline(summary({"mean": 0.0, "low": 0.0, "high": 0.0}, {"scored": 0, "failed": 90, "missing": 6}))
    assert said == (
        "ours: no mask to score: all 96 cases of 12 patients failed or are missing; "
        "scores of patients that training never saw (12)."
    )
    assert "0.000" not in said


def test_a_comparison_says_where_the_other_run_was_trained_on_the_patients():
    others = [{**compared(), "title": UNSEEN}, {**compared("before"), "title": "TRAINING patients (12)"}]
    said = headline(summary(comparisons=others))
    assert "+0.080); difference from before, paired on the same 96 cases: +0.050" in said
    assert said.endswith("(+0.020 to +0.080) (of both: TRAINING patients (12)).") and said.count("of both") == 1


def test_other_runs_each_have_their_difference():
    same = compared("copy", {"difference": 0.0, "low": 0.0, "high": 0.0}, identical=96)
    nothing = {"second": "none", "identical": 0, "metrics": []}
    said = headline(summary(comparisons=[compared(), same, nothing]))
    assert (
        "Difference from frangi, paired on the same 96 cases: +0.050 (+0.020 to +0.080); difference from copy" in said
    )
    assert "+0.000 (+0.000 to +0.000) (the two hold the same masks); not comparable with none" in said
    assert "-0.000" not in said


def lines(check=None, model=MODEL, **more):
    return official_check_lines({"runs": [{"name": "ours", "model": model, "official_check": check, **more}]})


def test_the_same_model():
    assert lines(CHECK) == [
        "ours: checked against official code: yes (receipt of 2026-11-30, 3 frames, largest difference at [SEG] 2e-06, "
        "0 of 786432 mask pixels differ)."
    ]
    assert "difference at [SEG] 2e-06)." in lines({**CHECK, "mask_pixels": None})[0]


@pytest.mark.parametrize(
    "changes, said",
    [
        (
            {"outcome": "incomplete", "segments": 0},
            "in part (receipt of 2026-11-30, 3 frames; the tensors are equal, and no [SEG] was",
        ),
        (
            {"outcome": "incomplete", "segments": 3, "tensors": {"adapters": 9, "adapters_told": 0}},
            "in part (receipt of 2026-11-30, 3 frames; the tensors are equal, and whether the official model has this",
        ),
        ({"outcome": "incomplete", "frames": 1}, "in part (receipt of 2026-11-30, 1 frame of 3; the tensors are equal"),
        ({"frames": 2}, "in part (receipt of 2026-11-30, 2 frames of 3; the tensors are equal, and so is what was"),
        (
            {"outcome": "other_tensors", "tensors": {"cause": "unmerged"}},
            "NO, it is another model (receipt of 2026-11-30, 3 frames; its tensors differ: unmerged)",
        ),
        ({"outcome": "other_calls", "seam": "seg"}, "its tensors are equal, and its calls part: seg)"),
    ],
)
def test_another_model(changes, said):
    assert said in lines(CHECK | changes)[0]


def test_a_model_that_was_not_checked():
    assert lines() == ["ours: checked against official code: not checked."]


def test_what_is_no_model_folder_has_no_line():
    assert lines(model={"kind": "vesselness"}) == lines(model=None) == []
    older = {"runs": [{"name": "ours", "model": MODEL}]}
    assert official_check_lines(older) == []
