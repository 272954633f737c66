"""Notebook 03 on a small set by the runner: its files, its report in a browser, and which runs it takes."""

import json
import re
import shutil
from dataclasses import replace

import nbformat
import numpy as np
import pandas as pd
import pytest

from helpers.core import paths
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.watermark import new_stamp, stamp_text
from helpers.evaluation.headline import headline as headline_of
from helpers.notebook.evaluate_notebook import choose_runs, evaluate_runs, open_data
from helpers.notebook.execution import execute_notebook
from helpers.notebook.parameters import validate
from helpers.notebook.settings import EvaluateSettings
from helpers.prediction.frangi import Tuned, VesselnessPredictor
from helpers.prediction.run import predict
from tests.support.browser import look_at
from tests.support.scored_runs import write_data, write_run
from tests.support.shipped_notebooks import ROOT, printed

EVALUATE = ROOT / "notebooks/03_evaluate.ipynb"
FIGURES = (
    "headline",
    "worst_case",
    "middle_case",
    "best_case",
    "patients",
    "groups",
    "precision_recall",
    "threshold",
    "reliability",
    "worst",
    "best",
    "difference_1",
    "sequence",
)
TIMEOUT_S = 300


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project of results with a data set, a run with two failures, and a later, worse one."""
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    dataset = write_data(tmp_path / "data")
    runs = tmp_path / "outputs/demo/predict"
    write_run(runs / "tuned", dataset, noise=0.5, failing=2)
    write_run(runs / "frangi", dataset, noise=3.0)
    return tmp_path.resolve()


def settings(**given):
    return validate(EvaluateSettings, {"project": "demo", "data": "data", **given})


def test_the_latest_finished_run_of_a_model_is_taken_and_named(root):
    (one,) = choose_runs(settings())
    assert str(one) == "frangi: outputs/demo/predict/frangi (the latest finished run of a model in project demo)"
    dataset = settings().opening.open()
    predict(dataset.frames, VesselnessPredictor(Tuned()), root / "outputs/demo/predict/later", limit=1)
    assert choose_runs(settings())[0].name == "frangi"
    for name in ("tuned", "frangi"):
        shutil.rmtree(root / "outputs/demo/predict" / name)
    (one,) = choose_runs(settings())
    assert str(one) == "later: outputs/demo/predict/later (the latest finished run of project demo)"


def test_a_demonstrations_run_stamps_what_is_shown_of_it_and_the_next_choice_ends_that(root):
    path = root / "outputs/demo/predict/tuned/manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "stamp": "synthetic"}))
    choose_runs(settings(against=["tuned"]))
    assert stamp_text() == "synthetic" and new_stamp() is None
    choose_runs(settings(predictions="frangi"))
    assert stamp_text() is None


def test_runs_are_named_by_name_or_by_folder(root):
    found = choose_runs(settings(predictions="tuned", against=["outputs/demo/predict/frangi", "tuned"]))
    assert [one.name for one in found] == ["tuned", "frangi", "tuned-2"]
    assert [one.reason for one in found] == ["as named", "to compare with", "to compare with"]


def test_a_run_that_is_not_there_is_refused_with_those_that_are(root):
    with pytest.raises(UsageProblem, match=r"got 'tunde'. Its finished runs: frangi, tuned"):
        choose_runs(settings(predictions="tunde"))
    with pytest.raises(UsageProblem, match="expected a finished result of 'predict'"):
        choose_runs(settings(project="other"))


def test_an_unfinished_run_is_refused(root):
    (root / "outputs/demo/predict/tuned/manifest.json").unlink()
    with pytest.raises(RefusedInput, match="not finished"):
        choose_runs(settings(predictions="tuned"))


def test_groups_that_the_data_cannot_have_are_refused_when_they_are_opened(root):
    assert len(open_data(settings()).cases) == 12
    with pytest.raises(UsageProblem, match="--groups lost: expected view or vendor of DICOM headers"):
        open_data(settings(groups="lost"))


def test_one_patient_has_pooled_numbers_without_an_interval(root):
    dataset = settings().opening.open()
    alone = replace(dataset, cases=dataset.cases[:2])
    results = evaluate_runs(settings(draws=100, processes=1), choose_runs(settings()), alone, root / "scores")
    assert results.pooled_table["pooled"].tolist() == ["cIoU", "gIoU"]
    assert all(re.fullmatch(r"0\.\d{3} \(fewer than 10 patients\)", text) for text in results.pooled_table["frangi"])


@pytest.mark.slow
def test_the_notebook_by_the_runner(root):
    (root / "trained.txt").write_text("P01_S01_001.png\n")
    values = {"data": "data", "predictions": "tuned", "against": ["frangi"], "name": "a", "draws": 500, "processes": 1}
    values |= {"training": "trained.txt", "remove_small": 3, "groups": "side"}
    (root / "data/sides.csv").write_text("file,side\nP01_S01_001,left\nP01_S01_002,left\nP02_S01_001,left\n")
    output = root / "outputs/demo/notebooks/03.ipynb"
    node = nbformat.read(execute_notebook(EVALUATE, output, values, TIMEOUT_S), as_version=4)
    folder = root / "outputs/demo/evaluate/a"
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    table = pd.read_parquet(folder / "metrics.parquet")
    files_are_complete(folder, table)
    html_shows_what_the_files_say(folder, summary, table)
    nothing_names_this_machine(root, folder, node)


@pytest.mark.slow
@pytest.mark.endurance
def test_notebooks_given_nothing_but_the_data_take_the_newest_run_of_a_model(root):
    dataset = settings().opening.open()
    predict(dataset.frames, VesselnessPredictor(Tuned()), root / "outputs/demo/predict/baseline", limit=1)
    for notebook in (EVALUATE, ROOT / "notebooks/04_review.ipynb"):
        output = root / "outputs/demo/notebooks" / notebook.name
        node = nbformat.read(execute_notebook(notebook, output, {"data": "data"}, TIMEOUT_S), as_version=4)
        said = printed(node)
        assert "frangi: outputs/demo/predict/frangi (the latest finished run of a model in project demo)" in said
        assert "data <data>" in re.sub(r" +", " ", said) and str(root) not in nbformat.writes(node)
    assert "scores: outputs/demo/evaluate/frangi" in said and "reviewer: 0 of 12 reviewed" in said
    assert (root / "outputs/demo/review/frangi/review.html").is_file()


def files_are_complete(folder, table):
    assert table["run"].value_counts().to_dict() == {"tuned": 12, "frangi": 12}
    assert (folder / "summary.md").stat().st_size > 500
    for name in FIGURES:
        png, svg = (folder / "figures" / f"{name}.{kind}" for kind in ("png", "svg"))
        assert png.read_bytes().startswith(b"\x89PNG") and b"<svg" in svg.read_bytes()


def html_shows_what_the_files_say(folder, summary, table):
    seen = look_at(folder / "evaluation.html", folder / "screenshot.png")
    assert not seen.console and not seen.asked and not seen.failed
    assert len(seen.widths) == len(FIGURES) and min(seen.widths) > 300
    text = re.sub(r"\s+", " ", seen.text)
    for run in ("tuned", "frangi"):
        (headline,) = [found["summary"] for found in summary["runs"] if found["name"] == run]
        dice = next(row for row in headline if row["metric"] == "dice")
        by_hand = table[table["run"] == run].groupby("patient")["dice"].mean().mean()
        assert np.isclose(dice["mean"], by_hand)
        assert f"{dice['mean']:.3f} [{dice['low']:.3f}, {dice['high']:.3f}]" in text
    for words in (
        "12 cases, 6 sequences, 6 patients",
        "no p-values: 6 patients, fewer than 10",
        "Student's t, logit scale",
        "without failures",
        "WARNING: 1 of 12 scored cases is training data",
        "cross-validation, 5 folds of patients",
        "pieces under 3 px removed",
        "groups by side, exploratory",
        "Patients may be in several groups: 1 is; groups are not compared by a test",
        "equal",
        "tuned against",
    ):
        assert words in text
    assert "DIFFERENT" not in text
    places = [text.index(headline_of(summary)), text.index("How to read it")]
    places += [text.rindex("About this page"), text.index("SHA-256")]  # the list of contents names the page's parts
    assert places == sorted(places) and text.rindex("Parameters are checked") > places[-1]


def nothing_names_this_machine(root, folder, node):
    assert str(root) not in nbformat.writes(node)
    for path in folder.rglob("*"):
        assert path.is_dir() or str(root).encode() not in path.read_bytes()
