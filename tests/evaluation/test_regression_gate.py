"""The gate on drawn scores, and on the tiny model: as it is, with one weight perturbed, with one case dropped."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.regression_gate import METRICS, Scores, check, read_baseline, scores_of, write_baseline
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.run import predict
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from tests.support.tiny_sources import FIXTURES

RECORDED = Path(__file__).with_name("fixture_gate.json")


def drawn(dice, outcome="scored"):
    count = len(dice)
    cases = pd.DataFrame({"case_id": [f"P{k}-F1" for k in range(count)], "sequence": None, "outcome": outcome})
    cases["patient"] = [f"P{k}" for k in range(count)]
    return Scores({"threshold": 0.5}, cases.assign(dice=np.asarray(dice, float), cldice=0.9))


EVEN = [0.8, 0.9, 0.7, 0.85, 0.75]


def test_equal_scores_pass():
    found = check(drawn(EVEN), drawn(EVEN))
    assert found.passed and "5 of 5 cases" in found.to_text() and "+0.0000" in found.to_text()


def test_one_case_that_fell_is_named():
    found = check(drawn(EVEN), drawn([0.8, 0.79, 0.7, 0.85, 0.8]))
    assert found.problems == ("P1-F1: Dice fell from 0.900 to 0.790, more than 0.1",)


def test_a_small_fall_of_all_is_seen_in_the_mean_and_one_by_chance_is_not():
    fallen = check(drawn(EVEN), drawn(np.subtract(EVEN, 0.02)))
    assert [problem.split(" (")[0] for problem in fallen.problems] == ["Dice: the mean fell by 0.0200, more than 0.01"]
    assert check(drawn(EVEN), drawn(np.subtract(EVEN, 0.005))).passed
    assert check(drawn(EVEN), drawn(np.add(EVEN, [-0.09, 0.02, 0.01, 0.0, 0.0]))).passed  # the interval holds 0


def test_with_fewer_than_five_units_the_fall_alone_decides():
    assert not check(drawn([0.8] * 4), drawn([0.7, 0.8, 0.8, 0.8])).passed


def test_lost_cases_failures_and_other_configurations_fail():
    fewer = drawn(EVEN)
    fewer = replace(fewer, cases=fewer.cases[1:].reset_index(drop=True))
    assert check(drawn(EVEN), fewer).problems == ("P0-F1: scored in the baseline, and not now",)
    assert check(fewer, drawn(EVEN)).passed
    apart = replace(fewer, cases=fewer.cases.assign(case_id=["a", "b", "c", "d"]))
    assert "no case of the baseline is among the scores" in check(drawn(EVEN), apart).problems
    assert len([text for text in check(drawn(EVEN), drawn(EVEN, "failed")).problems if "now failed" in text]) == 5
    other = replace(drawn(EVEN), configuration={"threshold": 0.4})
    assert check(drawn(EVEN), other).problems == ("threshold: the baseline has 0.5, this run 0.4",)


@pytest.mark.slow
def test_a_baseline_comes_back(tmp_path):
    write_baseline(tmp_path / "folder" / "b.json", drawn(EVEN))
    assert check(read_baseline(tmp_path / "folder" / "b.json"), drawn(EVEN)).passed
    for text in ("", "{}", '{"schema": "vesselkit.run", "schema_version": 1, "cases": [], "configuration": {}}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(RefusedInput, match=r"bad\.json: expected"):
            read_baseline(tmp_path / "bad.json")


def test_it_says_whose_scores_are_compared(tmp_path):
    before, now = replace(drawn(EVEN), title="TRAINING patients (5)"), drawn(EVEN)
    found = check(before, replace(now, title="patients that training never saw (5)"))
    assert found.to_text().startswith("baseline: TRAINING patients (5)\nnow: patients that training never saw (5)\n")
    cases = now.cases.assign(training="unseen")
    write_baseline(tmp_path / "b.json", replace(before, cases=cases, excluded=True))
    read = read_baseline(tmp_path / "b.json")
    assert (read.title, read.excluded) == ("TRAINING patients (5)", True) and set(read.cases["training"]) == {"unseen"}


@pytest.mark.parametrize("excluded", [True, False])
def test_scores_with_and_without_training_patients_are_not_compared(excluded):
    one, other = replace(drawn(EVEN), excluded=excluded), replace(drawn(EVEN), excluded=not excluded)
    with pytest.raises(RefusedInput, match=r"expected scores of the same patients: .*\(--exclude-training\).*--update"):
        check(one, other)
    assert check(one, one).passed


def test_a_baseline_of_version_1_is_read(tmp_path):
    write_baseline(tmp_path / "b.json", drawn(EVEN))
    values = json.loads((tmp_path / "b.json").read_text())
    del values["exclude_training"], values["title"]
    (tmp_path / "b.json").write_text(json.dumps({**values, "schema_version": 1}))
    read = read_baseline(tmp_path / "b.json")
    assert (read.title, read.excluded) == ("training list unknown", False) and check(read, drawn(EVEN)).passed
    (tmp_path / "b.json").write_text(json.dumps({**values, "schema_version": 3}))
    with pytest.raises(RefusedInput, match="version 2, found vesselkit.gate version 3"):
        read_baseline(tmp_path / "b.json")


@pytest.mark.slow
def test_the_tiny_model_passes_and_a_perturbed_weight_or_a_dropped_case_does_not(fixture_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    dataset = open_dataset(FIXTURES)
    model, tokenizer = load_model(fixture_folder, "cpu", "float32")
    predictor = Sa2VAPredictor(model, tokenizer, {"of": "the fixture"})

    def scored(name, data=dataset):
        predict(data.frames, predictor, tmp_path / name, batch_size=1)
        evaluate([tmp_path / name], data, tmp_path / f"{name}-scores", processes=1)
        return scores_of(open_metrics(tmp_path / f"{name}-scores"))

    recorded = read_baseline(RECORDED)
    found = check(recorded, scored("same"))
    assert found.passed, found.to_text()
    hashed = replace(recorded, configuration={**recorded.configuration, "images_sha256": "of other images"})
    assert [text.split(":")[0] for text in check(hashed, scored("same")).problems] == ["images_sha256"]
    dropped = check(recorded, scored("dropped", replace(dataset, cases=dataset.cases[1:])))
    assert f"{dataset.cases[0].case_id}: scored in the baseline, and not now" in dropped.problems
    # One number, where the language model's [SEG] becomes SAM2's prompt.
    weight = next(value for name, value in model.named_parameters() if "seg_projection" in name and value.dim() == 2)
    with torch.no_grad():
        weight[0, 0] += 1e4
    perturbed = check(recorded, scored("perturbed"))
    assert any("fell" in problem or "now failed" in problem for problem in perturbed.problems), perturbed.to_text()
    assert set(METRICS) <= set(recorded.cases.columns)


RUN = {
    "name": "ours",
    "prompt": "vessel",
    "threshold": 0.5,
    "combine": "union",
    "limit": None,
    "predictor": {"device": "cpu"},
    "dataset": {"listing_sha256": "l"},
    "data_sha256": "d",
}
TABLE = pd.DataFrame({"case_id": ["a"], "sequence": ["S"], "patient": ["P"], "outcome": ["scored"], "dice": [0.5],
                      "cldice": [0.4], "iou": [0.3]})  # fmt: skip


def metrics(run=RUN, table=TABLE, **summary):
    found = {"runs": [run, {**RUN, "name": "other"}], "dataset": {}, **summary}
    return SimpleNamespace(folder="m", summary=found, scores={run["name"]: table}.get)


def test_what_the_gate_looks_at():
    found = scores_of(metrics())
    assert found.configuration == {
        "prompt": "vessel",
        "threshold": 0.5,
        "combine": "union",
        "limit": None,
        "predictor": {"device": "cpu"},
        "listing_sha256": "l",
        "images_sha256": "d",
    }
    assert list(found.cases) == ["case_id", "sequence", "patient", "outcome", "dice", "cldice"]
    assert (found.excluded, found.title) == (False, "training list unknown")


def test_whose_scores_the_gate_looks_at_are_those_of_the_first_run():
    titles = [{"run": "other", "title": "of others"}, {"run": "ours", "title": "TRAINING patients (1)"}]
    table = TABLE.assign(united="P", training="training")
    standing = {"excluded": True, "runs": titles}
    found = scores_of(metrics(table=table, standing=standing, dataset={"rules": {"mask_values": "mask"}}))
    assert (found.excluded, found.title) == (True, "TRAINING patients (1)")
    assert list(found.cases)[-2:] == ["training", "united"]
    assert found.configuration["truth_rules"] == {"mask_values": "mask"}
    unlisted = scores_of(metrics(run={**RUN, "dataset": None}, standing={"excluded": False, "runs": titles[:1]}))
    assert unlisted.title == "training list unknown" and unlisted.configuration["listing_sha256"] is None


def test_scores_on_a_truth_that_began_from_the_run_are_no_scores():
    with pytest.raises(RefusedInput, match="m: expected scores, found the edit .* of 4 cases began from .* run ours"):
        scores_of(metrics(run={**RUN, "edit_distance": {"cases": 4}}))


def test_the_whole_text_of_the_gate():
    now = drawn([0.8, 0.79, 0.7, 0.85, 0.75, 0.8])
    found = check(drawn(EVEN), now)
    assert found.to_text().splitlines() == [
        "baseline: training list unknown",
        "now: training list unknown",
        "5 of 5 cases compared; 1 new ones left out",
        "Dice: mean change -0.0220, 95 % interval [-0.0831, +0.0391], 5 patients",
        "clDice: mean change +0.0000, no interval, all units equal, 5 patients",
        "- P1-F1: Dice fell from 0.900 to 0.790, more than 0.1",
        "gate failed: 1 finding",
    ]
    assert check(now, now).to_text().splitlines()[-1] == "gate passed"


@pytest.mark.parametrize("cases", [[], ["a", "a"]])
def test_a_baseline_without_a_case_or_with_one_twice_is_refused(tmp_path, cases):
    table = pd.concat([TABLE.assign(case_id=case_id) for case_id in cases] or [TABLE[:0]])
    write_baseline(tmp_path / "b.json", Scores({}, table.drop(columns="iou")))
    with pytest.raises(
        RefusedInput, match=r"b\.json: expected each of its cases once, and one at least. Write it with"
    ):
        read_baseline(tmp_path / "b.json")
