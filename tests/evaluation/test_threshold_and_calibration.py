"""Operating points of `evaluate`: a threshold locked on other patients or cross-validated, in summary and tables."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from helpers.core.errors import RefusedInput
from helpers.data.groups.name_parts import Spellings
from helpers.data.rules import Rules
from helpers.evaluation.chosen_threshold import on_development, unit_histograms
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.threshold_and_calibration import Scored, open_development, operating_point
from helpers.metrics.calibration import scaled_by_folds
from helpers.metrics.threshold_curve import logit_histogram
from helpers.runs.stored_maps import round_for_storage
from tests.support.score_tables import TRUTH, of_patients
from tests.support.vessel_runs import SIDE, write_data, write_run

DRAWS = 100
QUICK = {"processes": 1, "draws": DRAWS}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def maps(data):
    """Logits that are too low by one: 0.5 is not the best threshold."""
    rng = np.random.default_rng(3)
    found = {}
    for case in data.cases:
        blurred = gaussian_filter(case.truth.mask(SIDE, SIDE).astype(float), 0.7)
        found[case.case_id] = round_for_storage(8 * (blurred - 0.5) - 1 + rng.normal(0, 1, (SIDE, SIDE)))
    return found


@pytest.fixture(scope="module")
def run(maps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "model"
    return write_run(folder, {case_id: logits > 0 for case_id, logits in maps.items()}, logits=maps)


@pytest.fixture(scope="module")
def halves(data):
    """Three patients to choose on, three to score."""
    return replace(data, cases=data.cases[:6]), replace(data, cases=data.cases[6:])


@pytest.mark.slow
def test_a_threshold_is_chosen_on_the_development_cases_and_locked(run, halves, tmp_path):
    evaluate([run], halves[0], tmp_path / "dev", **QUICK)
    found = evaluate([run], halves[1], tmp_path / "m", development=tmp_path / "dev", **QUICK)
    metrics, dev = open_metrics(tmp_path / "m"), open_metrics(tmp_path / "dev")
    record = metrics.operating_point("model")["threshold"]
    expected = on_development(
        metrics.scores("model"), metrics.histograms("model"), dev.scores("model"), dev.histograms("model")
    )
    assert record["threshold"] == expected.threshold < 0.5 and record["chosen_by"] == "development"
    assert record["chosen_on"] == [case.case_id for case in halves[0].cases]
    assert record["gain"]["mean"] == expected.gain.estimate > 0 and record["gain"]["low"] == expected.gain.low
    assert record["dice_at_half"]["mean"] == pytest.approx(metrics.scores("model")["dice"].mean())
    assert metrics.operating_point("model")["temperature"]["chosen_by"] == "development"
    text = found.text.split("## Threshold and calibration")[1]
    assert f"| locked threshold | {expected.threshold:.3f} |" in text and "| chosen on | 6 development cases |" in text


def test_without_development_cases_patients_are_cross_validated(run, data, tmp_path):
    found = evaluate([run], data, tmp_path / "m", **QUICK)
    record = open_metrics(tmp_path / "m").operating_point("model")
    assert record["threshold"]["chosen_by"] == "cross-validation" and record["threshold"]["chosen_on"] is None
    assert len(record["threshold"]["fold_thresholds"]) == 5 and record["threshold"]["gain"]["mean"] > 0
    assert record["temperature"]["calibration"]["nll"]["mean"] < record["calibration"]["nll"]["mean"]
    assert "| chosen on | cross-validation, 5 folds of patients |" in found.text


def test_tables_hold_what_the_figures_draw(run, data, tmp_path):
    evaluate([run], data, tmp_path / "m", **QUICK)
    metrics = open_metrics(tmp_path / "m")
    curve = metrics.thresholds("model").set_index(["metric", "threshold"])
    assert curve.loc[("dice", 0.5), "mean"] == pytest.approx(metrics.scores("model")["dice"].mean())
    pixels = metrics.reliability("model").groupby("scaled")["pixels"].sum()
    assert pixels.to_dict() == {False: 12 * SIDE**2, True: 12 * SIDE**2}


@pytest.mark.slow
def test_development_cases_must_be_of_other_patients_and_of_the_same_model(run, data, halves, maps, tmp_path):
    evaluate([run], data, tmp_path / "all", **QUICK)
    with pytest.raises(RefusedInput, match="6 cases in both"):
        evaluate([run], halves[1], tmp_path / "m", development=tmp_path / "all", **QUICK)
    frames = [data.cases[number] for number in (0, 2, 4, 6)]
    one_of_each = [case for number, case in enumerate(data.cases) if case not in frames]
    evaluate([run], replace(data, cases=tuple(one_of_each)), tmp_path / "mixed", **QUICK)
    with pytest.raises(RefusedInput, match="4 patients in both"):
        evaluate([run], replace(data, cases=tuple(frames)), tmp_path / "m", development=tmp_path / "mixed", **QUICK)
    evaluate([run], halves[0], tmp_path / "dev", **QUICK)
    other = write_run(tmp_path / "other", {case_id: logits > 0 for case_id, logits in maps.items()}, model={"a": 1})
    with pytest.raises(RefusedInput, match="expected the model and prompt of run other"):
        evaluate([other], halves[1], tmp_path / "m", development=tmp_path / "dev", **QUICK)
    with pytest.raises(RefusedInput, match="expected case ids from key abc"):
        keyed = replace(halves[1], key_fingerprint="abc")
        keyed_run = write_run(tmp_path / "keyed", dict.fromkeys(maps), dataset={"key_fingerprint": "abc"})
        evaluate([keyed_run], keyed, tmp_path / "m", development=tmp_path / "dev", **QUICK)
    assert not (tmp_path / "m").exists()


def test_hard_masks_have_no_probabilities():
    scored = of_patients([10, 10, 10])
    flat = {case_id: logit_histogram(TRUTH, np.where(TRUTH, 4.0, -4.0)) for case_id in scored["case_id"]}
    found = operating_point("masks", Scored(scored, flat), None, draws=DRAWS, seed=1)
    assert found.record["threshold"]["threshold"] == 0.5 and found.record["threshold"]["gain"]["mean"] == 0
    assert found.record["calibration"] is None and found.record["temperature"] is None and found.reliability.empty
    assert "hold two values" in found.record["notes"][0]


def test_runs_without_logits_and_of_one_patient_say_so():
    nothing = operating_point("masks", Scored(of_patients([10, 10]), {}), None, draws=DRAWS, seed=1)
    assert nothing.record["threshold"] is None and "no logits" in nothing.record["notes"][0]
    assert isinstance(nothing.curves, pd.DataFrame) and nothing.curves.empty
    unknown = of_patients([10, 10]).assign(patient=None)
    flat = {case_id: logit_histogram(TRUTH, np.where(TRUTH, 1.0, -1.0)) for case_id in unknown["case_id"]}
    assert (
        "patients are unknown"
        in operating_point("a", Scored(unknown, flat), None, draws=DRAWS, seed=1).record["notes"][0]
    )
    scored = of_patients([10])
    graded = {
        case_id: logit_histogram(TRUTH, np.where(TRUTH, 1.0, -2.0) - TRUTH[::-1]) for case_id in scored["case_id"]
    }
    alone = operating_point("one", Scored(scored, graded), None, draws=DRAWS, seed=1)
    assert alone.record["threshold"] is None and alone.record["temperature"] is None
    assert alone.record["calibration"]["ece"]["mean"] > 0 and "one independent unit" in alone.record["notes"][0]


THRESHOLD = ["threshold", "chosen_by", "chosen_on", "fold_thresholds", "unit", "dice", "dice_at_half", "gain"]
ERRORS = ["ece", "brier", "nll", "ece_equal_mass", "brier_of_share"]


def test_everything_that_is_kept_of_an_operating_point():
    scored, rng = of_patients([10, 9, 8], frames=1), np.random.default_rng(2)
    maps = {
        name: logit_histogram(TRUTH, np.where(TRUTH, 1, -2) + rng.normal(0, 2, TRUTH.shape))
        for name in scored["case_id"]
    }
    found = operating_point("model", Scored(scored, maps), None, draws=DRAWS, seed=1)
    record, expected = found.record, scaled_by_folds(unit_histograms(scored, maps), draws=DRAWS, seed=1)
    assert list(record) == ["run", "threshold", "calibration", "temperature", "notes"]
    assert record["run"] == "model" and record["notes"] == []
    assert list(record["threshold"]) == THRESHOLD and list(record["calibration"]) == ERRORS
    kept = record["temperature"]
    assert list(kept) == ["temperature", "chosen_by", "fold_temperatures", "calibration"]
    assert (kept["temperature"], kept["chosen_by"]) == (expected.temperature, "cross-validation")
    assert kept["fold_temperatures"] == list(expected.fold_temperatures) and len(kept["fold_temperatures"]) == 3
    for part, whole in ((record["calibration"], expected.before), (kept["calibration"], expected.after)):
        assert part["ece"] == {
            "mean": whole.ece.estimate,
            "low": whole.ece.low,
            "high": whole.ece.high,
            "interval": None,
            "n_units": 3,
        }
        assert (part["ece_equal_mass"], part["brier_of_share"]) == (whole.ece_equal_mass, whole.brier_of_share)
        assert (part["brier"]["mean"], part["nll"]["mean"]) == (whole.brier.estimate, whole.nll.estimate)
    assert record["threshold"]["unit"] == "patient"
    assert list(found.curves.columns) == ["run", "metric", "threshold", "mean", "low", "high"]
    assert list(found.reliability.columns) == ["run", "scaled", "predicted", "observed", "pixels"]
    assert found.reliability.groupby("scaled")["pixels"].sum().tolist() == [3 * TRUTH.size] * 2
    before = found.reliability[~found.reliability["scaled"]]
    assert before["predicted"].tolist() == expected.before.reliability.predicted.tolist()
    assert set(found.curves["run"]) == set(found.reliability["run"]) == {"model"}


def test_tables_of_a_run_without_logits_have_their_columns():
    nothing = operating_point("masks", Scored(of_patients([10]), {}), None, draws=DRAWS, seed=1)
    assert nothing.record == {
        "run": "masks",
        "threshold": None,
        "calibration": None,
        "temperature": None,
        "notes": ["the run stores no logits: no threshold can be chosen"],
    }
    assert list(nothing.curves.columns) == ["run", "metric", "threshold", "mean", "low", "high"]
    assert list(nothing.reliability.columns) == ["run", "scaled", "predicted", "observed", "pixels"]


@pytest.mark.slow
def test_what_a_run_says_of_its_cases_does_not_make_it_another_model(run, halves, maps, tmp_path):
    def named(name, **model):
        masks = {case_id: logits > 0 for case_id, logits in maps.items()}
        return write_run(tmp_path / name, masks, logits=maps, model={"kind": "imported", "name": "a", **model})

    one, other = named("one", masks_sha256="1", missing=["x"]), named("other", masks_sha256="2", missing=[])
    evaluate([one], halves[0], tmp_path / "dev", **QUICK)
    found = evaluate([other, run], halves[1], tmp_path / "m", development=tmp_path / "dev", **QUICK)
    chosen = [one["threshold"]["chosen_by"] for one in found.summary["studies"]]
    assert chosen == ["development", "cross-validation"]


FACTS = {
    "prompt": "vessel",
    "model": {"name": "a", "masks_sha256": "1", "missing": []},
    "predictor": {"device": "cpu"},
    "combine": "union",
    "threshold": 0.5,
}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"threshold": 0.4}, True),
        ({"model": {"name": "a", "masks_sha256": "2", "missing": ["x"]}}, True),
        ({"model": {"name": "b"}}, False),
        ({"prompt": "vessels"}, False),
        ({"predictor": {"device": "cuda"}}, False),
        ({"predictor": None}, False),
        ({"combine": "first"}, False),
    ],
)
def test_what_makes_another_model_of_a_run(monkeypatch, changes, same):
    scores, maps = of_patients([10]), {"P0-F0": "a histogram"}
    runs = [{**FACTS, "combine": "largest", "name": "other"}, {**FACTS, "name": "dev"}]
    summary = {"dataset": {"key_fingerprint": None}, "runs": runs}
    metrics = SimpleNamespace(summary=summary, scores={"dev": scores}.get, histograms={"dev": maps}.get)
    monkeypatch.setattr("helpers.evaluation.threshold_and_calibration.open_metrics", lambda folder: metrics)
    people = SimpleNamespace(spellings=Spellings())
    dataset = SimpleNamespace(key_fingerprint=None, frames=(), people=people, rules=Rules())
    given = SimpleNamespace(name="ours", facts=lambda: FACTS | changes)
    if same:
        found = open_development("m", [given], dataset, [])
        assert list(found) == ["ours"] and found["ours"].table is scores and found["ours"].histograms is maps
        return
    with pytest.raises(
        RefusedInput, match="m: expected the model and prompt of run ours, found other ones. Predict the"
    ):
        open_development("m", [given], dataset, [])
