"""An evaluation of sealed patients is counted, and every title says which look it is."""

import json

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.headline import headline
from helpers.evaluation.sealed_looks import look_text, look_titles, look_warnings
from helpers.metrics.postprocessing import Processing
from tests.support.vessel_runs import write_data, write_run


@pytest.mark.parametrize(
    "number, again, said",
    [
        (1, False, "first look at this test set"),
        (3, False, "third look at this test set"),
        (21, False, "look number 21 at this test set"),
        (1, True, "1 look at this test set so far, this one among them"),
        (3, True, "3 looks at this test set so far, this one among them"),
    ],
)
def test_words_of_a_look(number, again, said):
    assert look_text({"number": number, "again": again}) == said


def test_titles_of_runs_and_comparisons_have_it_and_a_lost_count_is_said():
    look = {"patients": 3, "cases": 6, "number": 2, "again": False, "kept": False}
    record = {"title": "a", "runs": [{"run": "x", "title": "b"}]}
    added = "; second look at this test set"
    assert look_titles(record, look) == {"title": "a" + added, "runs": [{"run": "x", "title": "b" + added}]}
    assert look_titles(record, None) == record and look_titles({"metrics": []}, look) == {"metrics": []}
    assert look_warnings(None) == [] == look_warnings({**look, "kept": True})
    assert "this look at 3 sealed patients could not be written down" in look_warnings(look)[0]


def test_each_different_evaluation_of_sealed_patients_is_counted(tmp_path):
    data = write_data(tmp_path / "data", patients=3)
    truths = {case.case_id: case.truth.mask(64, 64) for case in data.cases}
    rules = {"schema": "vesselkit.dataset", "schema_version": 2, "ids": "public", "layout": "paired"}
    patients = sorted({frame.patient for frame in data.frames})
    split = {"parts": {"train": patients[:1], "test": patients[1:]}}
    (tmp_path / "data" / "dataset.json").write_text(json.dumps({**rules, "split": split}))
    whole, train, test = (open_dataset(tmp_path / "data", split=part) for part in (None, "train", "test"))
    evaluate([write_run(tmp_path / "first", truths)], data, tmp_path / "before the split", processes=1, draws=10)
    ours = write_run(tmp_path / "ours", truths)
    base = write_run(tmp_path / "base", {case_id: np.roll(mask, 1) for case_id, mask in truths.items()})

    def look(runs, dataset, **options):
        found = evaluate(runs, dataset, tmp_path / "m", processes=1, draws=10, **options)
        return found if found.summary["sealed"] is None else (found, *found.summary["sealed"].values())

    assert look([ours], train).summary["sealed"] is None and not (tmp_path / "data" / ".vesselkit").exists()
    found, *told = look([ours], test)
    assert told == [2, 4, 1, False, True]
    assert "## Headline: training list unknown; first look at this test set" in found.text
    assert any("chosen on sealed patients" in note for note in found.summary["studies"][0]["notes"])
    assert ". One centre. Failed and missing" in found.text and ", one centre |" not in found.text
    assert "training list unknown; first look at this test set" in headline(found.summary)
    assert look([ours], test, names=["another name"])[1:] == (2, 4, 1, True, True)
    assert look([ours], whole)[1:] == (2, 4, 1, True, True)  # the other patients are not sealed
    assert look([base], test)[1:] == (2, 4, 2, False, True)
    found, *told = look([base, ours], test)
    assert told == [2, 4, 3, False, True] and "(of both" not in headline(found.summary)
    assert "## ours against base: training list unknown; third look at this test set" in found.text
    assert look([ours], test, processing=Processing(remove_small=3))[1:] == (2, 4, 4, False, True)
    with pytest.raises(RefusedInput, match="m: expected scores of patients to choose on, found those of 2 sealed pat"):
        look([ours], train, development=tmp_path / "m")
    with pytest.raises(RefusedInput, match="split: expected scores of patients to choose on, found those of 2 sealed"):
        look([ours], train, development=tmp_path / "before the split")
    chosen_on = evaluate([ours], train, tmp_path / "dev", processes=1, draws=10)
    assert chosen_on.summary["sealed"] is None
    assert look([ours], test, development=tmp_path / "dev")[1:] == (2, 4, 5, False, True)
