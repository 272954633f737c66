"""One number with what it rests on, in a line."""

import pytest

from helpers.core.errors import UsageProblem
from helpers.evaluation.metric_score import score_in

ROW = {"metric": "dice", "mean": 0.8, "low": 0.7, "high": 0.9, "unit": "patient", "n_units": 12, "n_patients": 12}


def summary(**changes):
    row = {**ROW, "n_cases": 96, "few": False, **changes}
    pooled = [{**row, "metric": metric} for metric in ("ciou", "giou")]
    runs = [{"name": name, "summary": [row], "pooled": pooled} for name in ("model", "frangi")]
    standing = {"title": "unseen patients", "runs": [{"run": "model", "title": "12 unseen patients"}]}
    return {"runs": runs, "standing": standing}


@pytest.mark.parametrize(
    "changes, said",
    [
        ({}, "model: Dice 0.800 [0.700, 0.900], 96 cases of 12 patients; 12 unseen patients"),
        (
            {"n_units": 9},
            "model: Dice 0.800 [0.700, 0.900], 96 cases of 9 patients (fewer than 10); 12 unseen patients",
        ),
        (
            {"low": None, "high": None, "n_units": 1, "unit": "sequence", "n_cases": 1},
            "model: Dice 0.800 no interval, 1 case of 1 sequence (fewer than 10); 12 unseen patients",
        ),
        ({"mean": None, "unit": "case"}, "model: Dice is defined for none of 96 cases; 12 unseen patients"),
    ],
)
def test_the_line(changes, said):
    score = score_in(summary(**changes), "dice")
    assert str(score) == repr(score) == said


def test_another_run_and_a_pooled_metric():
    score = score_in(summary(), "ciou", "frangi")
    assert str(score) == "frangi: cIoU 0.800 [0.700, 0.900], 96 cases of 12 patients; unseen patients"
    assert (score.metric, score.n_patients, score.n_cases, score.standing) == ("ciou", 12, 96, "unseen patients")
    assert str(score_in(summary(), "giou")).startswith("model: gIoU 0.800 [0.700, 0.900]")


def test_unknown_names_are_refused():
    with pytest.raises(UsageProblem, match="metric: expected one of dice, ciou, giou, got 'f1'"):
        score_in(summary(), "f1")
    with pytest.raises(UsageProblem, match="run: expected one of model, frangi, got 'other'"):
        score_in(summary(), "dice", "other")
