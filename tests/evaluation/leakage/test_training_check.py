"""Training data of an evaluation's runs: every title, no p-value from training patients, and patients left out."""

import json

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from tests.support.vessel_runs import write_data, write_run

PATIENTS = 12
NEVER = f"patients that training never saw ({PATIENTS})"


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A data set of twelve patients with two frames each, and two runs."""
    folder = tmp_path_factory.mktemp("scored")
    data = write_data(folder / "data", patients=PATIENTS)
    truths = {case.case_id: case.truth.mask(64, 64) for case in data.cases}
    worse = {case_id: np.roll(mask, 1) for case_id, mask in truths.items()}
    return data, [write_run(folder / "ours", truths), write_run(folder / "base", worse)], truths


def other_frames(*patients):
    """Names of frames that are not in the data set."""
    return [f"P{patient:02d}_S01_{frame:03d}.png" for patient in patients for frame in range(20, 40)]


@pytest.fixture
def score(scored, tmp_path):
    def run(*names, runs=scored[1], **options):
        (tmp_path / "list.txt").write_text("\n".join(names))
        training = tmp_path / "list.txt" if names else None
        return evaluate(runs, scored[0], tmp_path / "m", training=training, processes=1, draws=100, **options)

    return run


def headings(found):
    return [line.removeprefix("## ") for line in found.text.splitlines() if line.startswith("## ")]


def p_values(found):
    return [row["p_sign_flip"] for row in found.summary["comparisons"][0]["metrics"]]


@pytest.mark.slow
def test_a_random_split_by_frames_scores_training_patients_and_gives_no_p_value(score, tmp_path):
    found = score(*other_frames(*range(1, PATIENTS + 1)))
    assert len(found.summary["training"]["leaked"]) == 24 and found.summary["training"]["listed"] == []
    title = f"TRAINING patients ({PATIENTS})"
    for name in ("Headline", "base against ours", "Second table", "Sequences", "Threshold and calibration"):
        assert f"{name}: {title}" in headings(found)
    assert set(p_values(found)) == {None}
    sequences = found.summary["sequences"]["comparisons"][0]["metrics"]
    assert {row["p_sign_flip"] for row in sequences} == {None} and {row["n_tested"] for row in sequences} == {0}
    assert "no p-value: ours or base was trained on frames of all 12 patients. Compare them on patients" in found.text
    assert "**warning:** 12 of 12 scored patients are of TRAINING patients (24 of 24 cases)" in found.text
    assert open_metrics(tmp_path / "m").scores("ours")["training"].tolist() == ["training"] * 24
    assert found.summary["standing"]["runs"][0] == {
        "run": "ours",
        "title": title,
        "sources": ["list"],
        "unit": "patient",
        "training": 12,
        "unseen": 0,
        "unknown": 0,
        "training_ids": [f"P{number:02d}" for number in range(1, 13)],
        "reasons": [],
    }


@pytest.mark.slow
def test_patients_that_training_never_saw(score):
    found = score(*other_frames(77, 78))
    assert found.summary["standing"]["title"] == NEVER and f"Headline: {NEVER}" in headings(found)
    assert None not in p_values(found) and "n_tested" not in found.summary["comparisons"][0]["metrics"][0]
    assert found.summary["training"]["leaked"] == []
    assert [one for one in found.summary["warnings"] if "equal the ground truth to the pixel" not in one] == []
    plain = score()
    assert plain.summary["standing"]["title"] == "training list unknown"
    assert "whether scored cases are training data was not checked (--training)" in plain.summary["warnings"]
    assert p_values(plain) == p_values(found)  # what a list does not touch stays as it is


@pytest.mark.slow
def test_where_some_are_training_patients_the_others_are_tested(score):
    found, apart = score(*other_frames(3, 9)), score(*other_frames(3, 9), exclude_training=True)
    title = "12 patients, 2 of them TRAINING patients"
    assert found.summary["standing"]["title"] == title and f"base against ours: {title}" in headings(found)
    rows = found.summary["comparisons"][0]["metrics"]
    assert {row["n_tested"] for row in rows} == {10} and {row["n_units"] for row in rows} == {12}
    assert "24 cases, 12 patients, 10 of them tested" in found.text
    assert p_values(found) == p_values(apart)  # the tests are those of the patients that are left
    assert "p-values rest on the 10 patients that are not of TRAINING patients" in found.text
    few = score(*other_frames(3, 9, 10))
    assert set(p_values(few)) == {None} and "and 9 others are too few" in few.text


def test_training_patients_are_left_out_on_request_and_counted(score, tmp_path):
    found = score(*other_frames(3, 9), exclude_training=True)
    standing = found.summary["standing"]
    assert standing["title"] == "patients that training never saw (10), 2 TRAINING patients left out"
    assert (standing["excluded"], standing["excluded_patients"], standing["excluded_cases"]) == (True, 2, 4)
    left_out = found.summary["dataset"]["left_out"]
    assert left_out == {"cases of TRAINING patients left out, as asked for (--exclude-training)": 4}
    table = open_metrics(tmp_path / "m").scores("ours")
    assert not {"P03", "P09"} & set(table["patient"]) and len(table) == 20
    assert "2 TRAINING patients with 4 cases left out, as asked for." in found.text
    nobody = score(*other_frames(77), exclude_training=True)
    assert nobody.summary["standing"]["title"] == NEVER and nobody.summary["dataset"]["left_out"] == {}


def test_leaving_out_needs_to_know_whom_and_somebody_who_is_left(score):
    with pytest.raises(RefusedInput, match=r"--exclude-training: expected to know what run ours was trained on"):
        score(exclude_training=True)
    with pytest.raises(RefusedInput, match=r"the cases \(24\) are all of TRAINING patients. Evaluate other patients"):
        score(*other_frames(*range(1, 13)), exclude_training=True)


@pytest.mark.slow
def test_each_run_stands_to_its_own_training(scored, tmp_path):
    data, (ours, _), truths = scored
    tuned = {"kind": "vesselness", "ridge": "frangi", "tuned_on": None}
    frangi = write_run(tmp_path / "frangi", truths, model=tuned)
    found = evaluate([ours, frangi], data, tmp_path / "m", processes=1, draws=100)
    assert found.summary["standing"]["title"] == f"ours: training list unknown; frangi: {NEVER}"
    assert found.summary["comparisons"][0]["title"] == "training list unknown"
    chosen_on = {**tuned, "tuned_on": {"cases": ["P01_S01_001"], "key_fingerprint": None}}
    chosen = write_run(tmp_path / "chosen", {"P01_S01_002": truths["P01_S01_002"]}, model=chosen_on, limit=1)
    found = evaluate([chosen], data, tmp_path / "n", processes=1, draws=100)  # another frame of that patient
    assert found.summary["standing"]["title"] == "TRAINING patients (1)"


@pytest.mark.slow
def test_a_list_that_is_not_understood_names_what_to_do(score):
    found = score("img_001.png", "img_002.png")
    assert found.summary["standing"]["title"] == "training list unknown"
    assert any("2 of 2 names of training images are not understood" in text for text in found.summary["warnings"])
    with_leak = score("img_001.png", *other_frames(3))
    title = "12 patients, 1 of them TRAINING patients, training list unknown for 11 patients"
    assert with_leak.summary["standing"]["title"] == title


def test_other_frames_of_validation_patients_are_said(scored, tmp_path):
    for name, patients in (("train", (77,)), ("val", (3, 4))):
        entries = [{"image": image} for image in other_frames(*patients)]
        (tmp_path / f"{name}.json").write_text(json.dumps(entries))
    (tmp_path / "config.py").write_text("files = ['train.json', 'val.json']\n")
    found = evaluate(scored[1], scored[0], tmp_path / "m", training=tmp_path / "config.py", processes=1, draws=100)
    assert found.summary["standing"]["title"] == NEVER and found.summary["training"]["leaked"] == []
    assert found.summary["training"]["validated"] == ["P03_S01_001", "P03_S01_002", "P04_S01_001", "P04_S01_002"]
    assert any(
        "4 of 24 scored cases are of patients of whom other frames" in text for text in found.summary["warnings"]
    )


@pytest.mark.slow
def test_an_evaluation_of_the_version_before_is_read(score, tmp_path):
    score()
    path = tmp_path / "m/summary.json"
    summary = json.loads(path.read_text())
    del summary["standing"]
    path.write_text(json.dumps({**summary, "schema_version": 2}))
    assert open_metrics(tmp_path / "m").runs == ("ours", "base")
