"""An evaluation by the words of Python: runs or their folders, and one number of it."""

import json

import pytest

from helpers.core.errors import UsageProblem
from helpers.runs.run_folder import open_run
from helpers.stages.evaluate_stage import evaluate
from helpers.stages.predict_stage import predict


def test_a_run_and_its_folder_are_the_same(material, tmp_path):
    given = {"processes": 1, "draws": 200}
    first = evaluate(material / "demo-run", material / "demo-data", tmp_path / "a", **given)
    second = evaluate(open_run(material / "demo-run"), material / "demo-data", tmp_path / "b", **given)
    assert first.text == second.text and first.folder == tmp_path / "a"
    row = next(row for row in json.loads((tmp_path / "a" / "summary.json").read_text())["runs"][0]["summary"])
    assert row["metric"] == "dice" and first.summary["settings"]["draws"] == 200
    score = first.score()
    assert (score.mean, score.low, score.high) == (row["mean"], row["low"], row["high"])
    assert (score.run, score.unit, score.n_units, score.n_patients, score.n_cases) == ("demo-run", "patient", 2, 2, 4)
    assert str(score).startswith(f"demo-run: Dice {score.mean:.3f} no interval, 4 cases of 2 patients")


def test_others_are_compared_with_the_first(material, tmp_path):
    other = predict("frangi", material / "demo-data", tmp_path / "lower", threshold=0.3)
    found = evaluate(
        [material / "demo-run", other], material / "demo-data", tmp_path / "scores", names=["half", "lower"],
        processes=1, draws=200, remove_small=5,
    )  # fmt: skip
    assert found.score("dice", "lower").run == "lower" and found.score("dice").run == "half"
    assert found.score("ciou").mean != found.score("ciou", "lower").mean
    assert [one["second"] for one in found.summary["comparisons"]] == ["lower"]
    assert found.summary["processing"]["remove_small"] == 5


@pytest.mark.parametrize(
    "runs, parameters, said",
    [
        ("lost", {}, "runs lost: expected an existing file or folder"),
        ([], {}, "expected at least one run to evaluate"),
        ("demo-run", {"processes": 0}, "processes: expected at least 1, got 0"),
        ("demo-run", {"training": "lost.txt"}, "training lost.txt: expected an existing file"),
        ("demo-run", {"close_gaps": -1}, "close_gaps: expected 0 or more pixels"),
        ("demo-run", {"groups": "lost"}, "--groups lost: expected view or vendor of DICOM headers, or a column"),
        ("demo-run", {"limit": 3}, "limit: no such parameter; those of the data set are"),
    ],
)
def test_what_cannot_work_is_refused(material, tmp_path, monkeypatch, runs, parameters, said):
    monkeypatch.chdir(material)
    with pytest.raises(UsageProblem, match=said):
        evaluate(runs, "demo-data", tmp_path / "scores", **parameters)
    assert not (tmp_path / "scores").exists()
