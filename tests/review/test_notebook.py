"""Notebook 04 by the runner: no browser, and it leaves its sheet, its page and what it says."""

import shutil

import nbformat
import numpy as np
import pytest

from helpers.core import paths
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import BeganFrom
from helpers.data.dataset import open_dataset
from helpers.evaluation.evaluate import evaluate
from helpers.notebook.evaluate_notebook import choose_runs
from helpers.notebook.execution import execute_notebook
from helpers.notebook.parameters import validate
from helpers.notebook.review_notebook import open_review, review_folder
from helpers.notebook.settings import ReviewSettings
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.store import CorrectionStore
from helpers.review.verdicts import Verdict, VerdictStore
from tests.support.browser import look_at
from tests.support.shipped_notebooks import ROOT, pictures, printed
from tests.support.vessel_runs import SIDE, write_data, write_run

REVIEW = ROOT / "notebooks/04_review.ipynb"
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project of results with a data set, two runs, and the scores of the first."""
    folder = tmp_path_factory.mktemp("made")
    dataset = write_data(folder / "data")
    runs = folder / "outputs/demo/predict"
    truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in dataset.cases}
    rolled = {case_id: np.roll(mask, place, axis=1) for place, (case_id, mask) in enumerate(truths.items())}
    write_run(runs / "tuned", {**rolled, min(rolled): None})
    write_run(runs / "frangi", truths, model={"folder_name": "frangi"})
    (folder / "outputs/demo/evaluate").mkdir(parents=True)
    evaluate([runs / "tuned"], dataset, folder / "outputs/demo/evaluate/a", processes=1, draws=100)
    return folder


@pytest.fixture
def root(made, tmp_path, monkeypatch):
    """A copy of that project, whose root it is."""
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path.resolve()


def opened(root, reviewer="ann", **given):
    settings = validate(ReviewSettings, {"project": "demo", "data": "data", "reviewer": reviewer, **given})
    chosen = choose_runs(settings)
    return open_review(settings, chosen, open_dataset(root / "data"), review_folder(settings, chosen[0]).path)


def test_the_scores_of_this_run_are_found_and_another_has_none(root):
    assert opened(root, predictions="tuned").source.metrics.folder.name == "a"
    other = opened(root, predictions="frangi")
    assert other.source.metrics is None and "none: cases stand in the order of their ids" in other.text
    with pytest.raises(RefusedInput, match="expected scores of run frangi"):
        opened(root, predictions="frangi", metrics="outputs/demo/evaluate/a")


def test_masks_and_corrections_go_to_other_tools(root):
    settings = {"predictions": "tuned", "project": "demo", "data": "data", "reviewer": "ann"}

    def exported(**more):
        return opened(root, predictions="tuned").export(validate(ReviewSettings, settings | more))

    assert exported() == "nothing is exported: set export to masks, to-fix, corrections, pairs"
    folder = root / "outputs/demo/review/tuned"
    text = exported(export="masks", export_as="coco")
    assert text.endswith("masks written to outputs/demo/review/tuned/masks-coco")
    assert (folder / "masks-coco/annotations/instances_default.json").is_file()
    assert "tuned/masks-coco-2" in exported(export="masks", export_as="coco")
    with pytest.raises(UsageProblem, match="there is nothing to fix"):
        exported(export="to-fix")
    review = opened(root, predictions="tuned")
    case_id = next(case.case_id for case in review.source.cases if case.status == "ok")
    start, store = beginning(review.source, case_id, BeganFrom.EMPTY), CorrectionStore(folder / "corrections")
    for reader, place in (("ann", 0), ("bob", 1)):
        mask = start.mask.copy()
        mask[place] = True
        store.save(start.record(reader, mask), mask)
    with pytest.raises(UsageProblem, match="1 case: readers differ"):
        exported(export="corrections")
    assert exported(export="corrections", adjudicator="bob").startswith("1 mask written to")
    with pytest.raises(UsageProblem, match="margin: expected by how much readers differ"):
        exported(export="pairs")
    with pytest.raises(UsageProblem, match="export_as"):
        exported(export_as="dicom")


def test_an_evaluation_of_another_version_does_not_stop_the_review(root):
    path = root / "outputs/demo/evaluate/a/summary.json"
    path.write_text(path.read_text().replace('"schema_version": ', '"schema_version": 9'))
    assert opened(root, predictions="tuned").source.metrics is None
    path.write_text("{")
    assert opened(root, predictions="tuned").source.metrics is None


def test_a_damaged_evaluation_does_not_stop_the_review(root):
    (root / "outputs/demo/evaluate/a/metrics.parquet").write_bytes(b"cut")
    assert opened(root, predictions="tuned").source.metrics is None


def test_the_run_against_and_those_beside_are_told_apart(root):
    one = opened(root, predictions="tuned", against=["frangi"], beside=["tuned"]).source
    assert [each.name for each in one.scored_runs] == ["tuned", "frangi"] and [each.name for each in one.beside] == [
        "tuned-2"
    ]
    other = opened(root, predictions="tuned", beside=["frangi"]).source
    assert len(other.scored_runs) == 1 and [each.name for each in other.beside] == ["frangi"]


def test_verdicts_stay_with_the_review_and_agreement_is_told(root):
    first, second = opened(root, predictions="tuned"), opened(root, "bob", predictions="tuned")
    for review, verdicts in ((first, "aar"), (second, "arr")):
        for verdict in verdicts:
            review.session.give(Verdict.ACCEPT if verdict == "a" else Verdict.REJECT)
            review.session.step(1)
    again = opened(root, predictions="tuned")
    assert "ann: 3 of 12 reviewed: 2 accept, 0 fix, 1 reject" in again.text
    assert "ann and bob: 2 of 3 verdicts the same, Cohen's kappa 0.400" in again.text


@pytest.mark.slow
def test_the_notebook_by_the_runner(root):
    values = {"data": "data", "predictions": "tuned", "against": ["frangi"], "page_cases": 5, "reviewer": "ann"}
    values["language"] = "zh"
    executed = execute_notebook(REVIEW, root / "outputs/demo/notebooks/04.ipynb", values, TIMEOUT_S)
    node = nbformat.read(executed, as_version=4)
    folder = root / "outputs/demo/review/tuned"
    assert (folder / "contact_sheet.png").read_bytes().startswith(b"\x89PNG") and pictures(node) == 1
    assert "下面没有审阅界面？请重新运行全部单元格" in nbformat.writes(node) and "model_id" not in nbformat.writes(node)
    assert node.cells[0].source.startswith("# 逐例审阅预测\n")
    assert "ann: 0 of 12 reviewed" in printed(node) and "scores: outputs/demo/evaluate/a" in printed(node)
    seen = look_at(folder / "review.html", folder / "screenshot.png")
    assert not seen.console and not seen.asked and not seen.failed
    assert "1 / 5" in seen.text and "没有预测：no_seg" in seen.text  # the failed case is the worst
    for path in folder.rglob("*"):
        assert path.is_dir() or str(root).encode() not in path.read_bytes()
    assert str(root) not in nbformat.writes(node)
    assert not VerdictStore(folder / "verdicts").records()
