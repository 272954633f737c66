"""A run is not praised on ground truth that began from its own masks."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import BeganFrom, Exchange
from helpers.data.dataset import open_dataset
from helpers.data.exported_masks import read_exported
from helpers.evaluation.edit_distance import EDIT_TITLE, OwnTruth, edit_titles, not_compared, run_title
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.regression_gate import scores_of
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.store import CorrectionStore
from helpers.review.exports import export_corrections, export_masks
from helpers.review.review_source import open_source
from helpers.stages.exchange_stage import import_as_run
from tests.support.review_runs import GRIDDED, NO_TRUTH, SAME, SEVERAL, write_data, write_run

OWN = OwnTruth(("a", "b"), 1, 12)


def corrected(folder, data, run, began_from, case_ids=(GRIDDED, SAME, SEVERAL)):
    """The data set of one reader's corrections."""
    source, store = open_source(run, data), CorrectionStore(folder / "corrections")
    for case_id in case_ids:
        start = beginning(source, case_id, began_from)
        mask = np.zeros_like(start.mask) if began_from is BeganFrom.EMPTY else start.mask.copy()
        mask[10:14, 20:60] ^= True
        store.save(start.record("ann", mask), mask)
    export_corrections(source, folder / "set", Exchange.PNG, store)
    return open_dataset(folder / "set")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return write_data(folder / "data"), write_run(folder / "ours"), write_run(folder / "other", seed=7)


def test_the_run_that_it_began_from_has_no_headline(runs, tmp_path):
    data, ours, other = runs
    found = evaluate([ours, other], corrected(tmp_path, data, ours, BeganFrom.PREDICTION), tmp_path / "m", draws=50)
    first, second = found.summary["runs"]
    assert first["edit_distance"] == {"cases": 3, "accepted": 0, "case_ids": [GRIDDED, SAME, SEVERAL]}
    # Of the masks that hold the same pixels in both runs the truth began from both.
    assert second["edit_distance"] == {"cases": 1, "accepted": 0, "case_ids": [SAME]}
    assert found.text.splitlines()[2].startswith(
        f"**ours: no headline: the ground truth of 3 of 3 scored cases began from its own masks. "
        f"{EDIT_TITLE.capitalize()}: a mean Dice of "
    )
    assert (
        "between its masks and what they were corrected to, 3 " in found.text
        and "nobody changed a mask.**" in found.text
    )
    assert f"| metric | ours: {EDIT_TITLE} | other: {EDIT_TITLE} | n |" in found.text
    assert f"## {EDIT_TITLE.capitalize()}: ours: (the ground truth of 3 of 3" in found.text
    assert "## Headline" not in found.text and found.text.count("nobody changed a mask") == 2
    assert_not_compared(found, ["ours", "other"])
    assert found.score("dice").standing.startswith(f"{EDIT_TITLE} (the ground truth of 3 of 3")
    assert any("nothing of how good it is" in text for text in found.summary["warnings"])
    with pytest.raises(RefusedInput, match=f"expected scores, found the {EDIT_TITLE}"):
        scores_of(open_metrics(tmp_path / "m"))


def test_another_run_is_scored_as_ever_and_not_compared_with_it(runs, tmp_path):
    data, ours, other = runs
    cases = corrected(tmp_path, data, ours, BeganFrom.PREDICTION, (GRIDDED, SEVERAL))
    found = evaluate([other, ours], cases, tmp_path / "m", draws=50)
    assert [run["edit_distance"] is None for run in found.summary["runs"]] == [True, False]
    assert found.text.splitlines()[2].startswith("**other: mean Dice ")
    assert "Not compared with ours, from whose masks the ground truth began.**" in found.text
    assert "## Headline" in found.text and f"| metric | other | ours: {EDIT_TITLE} | n |" in found.text
    assert "## ours against other: not compared\n\nours is not compared with other: the ground truth" in found.text
    assert_not_compared(found, ["ours"])


def assert_not_compared(found, own):
    (compared,) = found.summary["comparisons"]
    assert (compared["edit_distance"], compared["metrics"], compared["changes"]) == (own, [], {})
    assert (found.summary["sequences"] or {"comparisons": []})["comparisons"] == []
    assert open_metrics(found.folder).changes().empty
    assert "By Dice" not in found.text and "Paired, with" not in found.text


@pytest.mark.parametrize("began_from", [BeganFrom.EMPTY, BeganFrom.TRUTH])
def test_what_people_drew_apart_from_the_run_is_ground_truth(runs, tmp_path, began_from):
    data, ours, _ = runs
    case_ids = (GRIDDED, SEVERAL) if began_from is BeganFrom.TRUTH else (GRIDDED, SEVERAL, NO_TRUTH)
    found = evaluate([ours], corrected(tmp_path, data, ours, began_from, case_ids), tmp_path / "m", draws=50)
    assert found.summary["runs"][0]["edit_distance"] is None and found.text.splitlines()[2].startswith("**ours: mean")
    assert scores_of(open_metrics(tmp_path / "m")).title == "training list unknown"


def test_a_run_is_found_behind_the_ground_truth_that_began_from_it(runs, tmp_path):
    data, ours, _ = runs
    first = corrected(tmp_path / "v1", data, ours, BeganFrom.PREDICTION, (GRIDDED,))
    source, store = open_source(ours, data), CorrectionStore(tmp_path / "again")
    others = tuple(case for case in data.cases if case.case_id != GRIDDED)
    source = replace(source, dataset=replace(first, cases=(*first.cases, *others)))
    start = beginning(source, GRIDDED, BeganFrom.TRUTH)
    mask = start.mask.copy()
    mask[0, 0] ^= True
    store.save(start.record("bob", mask), mask)
    export_corrections(source, tmp_path / "v2", Exchange.PNG, store)
    base, behind = read_exported(tmp_path / "v2").masks[GRIDDED].bases
    assert (base.reviewer, base.began_from, base.weights) == ("bob", BeganFrom.TRUTH, None)
    assert (behind.reviewer, behind.began_from) == ("ann", BeganFrom.PREDICTION)
    config = source.scored_runs[0].run.config.first_sha256
    assert read_exported(tmp_path / "v2").masks[GRIDDED].began_from(config, None)


@pytest.fixture(scope="module")
def imported(runs, tmp_path_factory):
    """Masks of our run, each edited a little in another program and imported as a run."""
    data, ours, _ = runs
    folder = tmp_path_factory.mktemp("imported")
    export_masks(open_source(ours, data), folder / "sent", Exchange.PNG)
    for path in (folder / "sent/masks").iterdir():
        mask = np.array(Image.open(path))
        mask[0, :5] = 255
        Image.fromarray(mask).save(path)
    summary = import_as_run(folder / "sent/masks", data, folder / "unet", "unet")
    assert "exported.json says what the masks began from, and the run keeps it" in summary.to_text()
    return folder / "unet"


def own_cases(run, dataset, folder):
    found = evaluate([run], dataset, folder / "m", draws=50).summary["runs"][0]["edit_distance"]
    return None if found is None else found["case_ids"]


def test_a_run_imported_from_the_masks_of_another_is_scored_as_that_one(runs, imported, tmp_path):
    data, ours, _ = runs
    cases = corrected(tmp_path, data, ours, BeganFrom.PREDICTION)
    assert own_cases(imported, cases, tmp_path) == [GRIDDED, SAME, SEVERAL]


def test_a_run_is_found_behind_the_imported_one_that_was_corrected(runs, imported, tmp_path):
    data, ours, _ = runs
    cases = corrected(tmp_path, data, imported, BeganFrom.PREDICTION, (GRIDDED, SEVERAL))
    assert own_cases(ours, cases, tmp_path) == [GRIDDED, SEVERAL]


@pytest.mark.parametrize("began_from", [BeganFrom.EMPTY, BeganFrom.PREDICTION])
@pytest.mark.parametrize("record_is_kept", [True, False])
def test_ground_truth_that_is_imported_as_a_run_has_no_headline_on_itself(runs, tmp_path, began_from, record_is_kept):
    data, ours, _ = runs
    cases = corrected(tmp_path, data, ours, began_from)
    place = tmp_path / "set" if record_is_kept else tmp_path / "taken"
    if not record_is_kept:
        shutil.copytree(tmp_path / "set/masks", place)
    import_as_run(place, data, tmp_path / "ann", "ann")
    assert own_cases(tmp_path / "ann", cases, tmp_path) == [GRIDDED, SAME, SEVERAL]


def test_titles_and_comparisons():
    standing = {"title": "x", "excluded": False, "runs": [{"run": "a", "title": "t"}, {"run": "b", "title": "t"}]}
    titled = edit_titles(standing, {"a": OWN})
    text = "the ground truth of 2 of 12 scored cases began from its own masks, 1 of them as it was"
    assert titled["runs"][0]["title"] == f"{EDIT_TITLE} ({text}); t" and titled["runs"][1]["title"] == "t"
    assert titled["title"] == f"a: {EDIT_TITLE} ({text}); t; b: t"
    assert edit_titles(standing, {})["title"] == "t"
    summary = {"runs": [{"name": "a", "edit_distance": OWN.to_json()}, {"name": "b", "edit_distance": None}]}
    assert not_compared(summary, {"first": "b", "second": "a"}) == ("a",)
    assert not_compared(summary, {"first": "b", "second": "b"}) == ()
    assert (run_title(summary, "a"), run_title(summary, "b")) == (f"a: {EDIT_TITLE}", "b")
