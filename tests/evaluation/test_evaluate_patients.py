"""Patients in an evaluation: known or not, seen by training, spelled twice, regrouped since."""

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import listing_sha256
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.markdown import escaped
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.regression_gate import check, read_baseline, scores_of, write_baseline
from helpers.prediction.run import predict
from tests.support.plain_predictor import PlainPredictor
from tests.support.vessel_runs import SIDE, write_data, write_run


def test_patients_that_are_not_known_are_warned_of(data, good, tmp_path):
    cases = tuple(replace(case, frame=replace(case.frame, patient=None)) for case in data.cases)
    found = evaluate([good], replace(data, cases=cases), tmp_path / "m", processes=1, draws=50)
    assert found.summary["warnings"][-2:] == [
        "patients are not known for every case: sequences are taken as independent, which they may not be",
        "6 sequences, fewer than 10: no p-values are given",
    ]


def test_reference_bounds_weigh_patients_as_the_scores_do(data, good, tmp_path):
    uneven = replace(data, cases=data.cases[:3])
    found = evaluate([good], uneven, tmp_path / "m", processes=1, draws=100)
    full = open_metrics(tmp_path / "m").reference_bounds()["all_foreground"]
    expected = ((full[0] + full[1]) / 2 + full[2]) / 2
    assert found.summary["yardsticks"]["all_foreground"] == pytest.approx(expected) != full.mean()
    assert f"a full mask {expected:.3f}" in found.text


@pytest.mark.parametrize("kind", ["list.txt", "annotations.json", "config.py"])
def test_training_cases_are_called_out_in_the_table(data, good, tmp_path, kind):
    (tmp_path / "annotations.json").write_text(json.dumps([{"image": f"train/{data.cases[0].frame.path.name}"}]))
    (tmp_path / "list.txt").write_text(f"# trained on\n{data.cases[0].case_id}\n")
    (tmp_path / "config.py").write_text("raise SystemExit\ndata_path = 'annotations.json'\n")
    found = evaluate([good], data, tmp_path / "m", training=tmp_path / kind, processes=1)
    assert found.summary["training"]["listed"] == [data.cases[0].case_id]
    assert found.summary["training"]["leaked"] == [case.case_id for case in data.cases[:2]]  # both of its patient
    assert f"| **warning:** 1 of {len(data.cases)} scored cases is training data" in found.text


@pytest.mark.slow
def test_leakage_stands_in_every_table_of_scores(data, truths, good, tmp_path):
    (tmp_path / "list.txt").write_text(data.cases[0].case_id)
    other = write_run(tmp_path / "other", {case_id: np.roll(mask, 1) for case_id, mask in truths.items()})
    found = evaluate([good, other], data, tmp_path / "m", training=tmp_path / "list.txt", processes=1, draws=100)
    parts = found.text.split("\n## ")
    warned = [part.split("\n")[0] for part in parts if "| **warning:** 1 of 12 scored cases is training" in part]
    title = ": 6 patients, 1 of them TRAINING patients"
    assert warned == [f"{name}{title}" for name in ("Headline", "other against good", "Second table")]
    assert "Training list" in parts[0] and "1 entry, 1 case of the data set among them" in parts[0]
    assert len(set(found.summary["warnings"])) == len(found.summary["warnings"])


def test_a_training_list_read_in_part_or_without_a_match_is_called_out(data, good, tmp_path):
    (tmp_path / "other.json").write_text('[{"image": "stranger.png"}]')
    (tmp_path / "config.py").write_text("files = ['other.json', 'lost.json']\n")
    found = evaluate([good], data, tmp_path / "m", training=tmp_path / "config.py", processes=1, draws=100)
    assert "| **warning:** 1 of 2 annotation files of the training config not here" in found.text
    assert "| **warning:** no entry of the training list, of 1, is named like a case" in found.text
    assert found.summary["training"]["files_absent"] == 1


@pytest.mark.slow
def test_cases_that_are_gone_or_regrouped_are_said(data, truths, tmp_path):
    run = write_run(tmp_path / "run", truths)
    fewer = replace(data, cases=data.cases[1:])
    found = evaluate([run], fewer, tmp_path / "m", processes=1, draws=100)
    first = data.cases[0].case_id
    warning = f"1 predicted case, the first {first}, gone from the data set and not scored"
    assert warning in found.summary["warnings"] and f"| **warning:** {escaped(warning)}" in found.text
    facts = found.summary["dataset"]
    assert facts["left_out_cases"] == {"cases of the runs left out, since the data set has them no more": [first]}
    assert facts["listing_sha256"] == listing_sha256(fewer.frames) and facts["splits"] == []
    other = replace(data, cases=tuple(replace(case, frame=replace(case.frame, split="b")) for case in data.cases[1:]))
    found = evaluate([run], other, tmp_path / "m", processes=1, draws=100)
    assert found.summary["dataset"]["left_out_cases"] == {
        "cases of the runs left out, since they are of other splits": [first]
    }
    assert found.summary["dataset"]["splits"] == ["b"] and "gone from the data set" not in found.text


def test_groups_that_changed_since_the_prediction_are_said(data, tmp_path):
    predict(data.frames, PlainPredictor(), tmp_path / "run")
    moved = replace(data.cases[0], frame=replace(data.cases[0].frame, patient=data.cases[-1].frame.patient))
    found = evaluate(
        [tmp_path / "run"], replace(data, cases=(moved, *data.cases[1:])), tmp_path / "m", processes=1, draws=100
    )
    (warning,) = [text for text in found.summary["warnings"] if "another patient or sequence now" in text]
    assert warning.startswith(
        f"1 case of another patient or sequence now than when predicted, the first {moved.case_id}"
    )


def twice_spelled(patient, frame):
    return f"P{patient:02d}" if frame == 1 else f"p{patient}"


@pytest.mark.slow
def test_a_patient_in_two_spellings_is_one_in_every_interval_and_two_in_every_id(tmp_path):
    data = write_data(tmp_path / "data", patients=11, spelled=twice_spelled)
    truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
    runs = [
        write_run(tmp_path / "a", truths),
        write_run(tmp_path / "b", {case_id: np.roll(mask, 1) for case_id, mask in truths.items()}),
    ]
    found = evaluate(runs, data, tmp_path / "m", processes=1, draws=50)
    assert {row["n_patients"] for row in found.summary["runs"][0]["summary"]} == {11}
    assert {row["n_units"] for row in found.summary["comparisons"][0]["metrics"]} == {11}
    assert found.summary["studies"][0]["threshold"]["dice"]["n_units"] == 11
    assert any("22 patient ids are spellings of 11 patients" in text for text in found.summary["warnings"])
    table = open_metrics(tmp_path / "m").scores("a")
    assert table["patient"].nunique() == 22 and table["united"].nunique() == 11
    assert {case.case_id for case in data.cases} == set(table["case_id"])
    evaluate([runs[1]], data, tmp_path / "shifted", processes=1, draws=50)
    baseline = scores_of(open_metrics(tmp_path / "shifted"))
    write_baseline(tmp_path / "gate.json", baseline)
    assert "11 patients" in check(read_baseline(tmp_path / "gate.json"), baseline).to_text()
    (tmp_path / "list.txt").write_text("P3_S07_001.png")
    seen = evaluate(runs, data, tmp_path / "m", training=tmp_path / "list.txt", processes=1, draws=50)
    assert seen.summary["standing"]["title"] == "11 patients, 1 of them TRAINING patients"
    assert set(seen.summary["training"]["leaked"]) == {"P03_S01_001", "p3_S01_002"}


def test_a_spelling_on_the_other_side_is_no_other_patient(tmp_path):
    key = tmp_path / "study.key"
    for name, first in (("development", "P0{}"), ("scored", "p{}")):  # P04 is p4
        offset = 0 if name == "development" else 3
        write_data(tmp_path / name, patients=4, spelled=lambda patient, _: first.format(patient + offset))  # noqa: B023
        (tmp_path / name / "dataset.json").unlink()
        data = open_dataset(tmp_path / name, id_key=key)
        truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
        write_run(tmp_path / f"{name}_run", truths, dataset=data.identity)
        if name == "development":
            evaluate([tmp_path / "development_run"], data, tmp_path / "d", processes=1, draws=50)
    with pytest.raises(RefusedInput, match="expected other patients than the scored ones, found 1 patient in both"):
        evaluate([tmp_path / "scored_run"], data, tmp_path / "m", development=tmp_path / "d", processes=1)
