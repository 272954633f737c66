"""The folder of predictions of expressions, the prompts that are asked, and what must be known of earlier parts."""

import json
import logging

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.evaluation.refcoco.expression_parts import PredictedExpression, part_path
from helpers.evaluation.refcoco.expression_prediction import predict_expressions, prompt_of, start
from helpers.evaluation.refcoco.expressions import read_expressions
from helpers.runs.run_config import config_sha256
from tests.evaluation.refcoco.test_refcoco_run import read, run
from tests.support.annotation_files import OTHER, SQUARE
from tests.support.expressions import WordPredictor, write_sa2va

ENTRIES = [
    {"image": "a.png", "mask": [[SQUARE], [OTHER]], "text": ["left", "right"]},
    {"image": "b.png", "mask": [[SQUARE], [OTHER]], "text": ["nothing", "the left"]},
]


@pytest.mark.parametrize(
    ("text", "prompt"),
    [("Left", "a left b"), (" The Left. ", "a the left b"), ("two..", "a two. b"), (". dot", "a . dot b")],
)
def test_words_are_asked_as_they_were_trained(text, prompt):
    assert prompt_of("a {expression} b", text) == prompt


def test_a_new_folder_holds_what_decides_the_predictions(tmp_path):
    values = {"prompt": "a", "threshold": 0.5}
    mark = start(tmp_path / "out", values)
    assert mark == config_sha256(values) == start(tmp_path / "out", values)
    assert json.loads((tmp_path / "out/refseg.json").read_text()) == {
        "schema": "vesselkit.refseg",
        "schema_version": 1,
        "config": values,
    }
    (tmp_path / "empty").mkdir()
    assert start(tmp_path / "empty", values) == mark


def test_another_configuration_and_other_files_are_refused(tmp_path):
    start(tmp_path / "out", {"prompt": "a"})
    with pytest.raises(RefusedInput, match="prompt: the run has"):
        start(tmp_path / "out", {"prompt": "b"})
    (tmp_path / "out/refseg.json").write_text('{"schema": "vesselkit.refseg", "schema_version": 2, "config": {}}')
    with pytest.raises(RefusedInput, match="expected vesselkit.refseg version 1, .*Name another folder"):
        start(tmp_path / "out", {"prompt": "a"})
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/notes.txt").touch()
    for path in (tmp_path / "taken", tmp_path / "taken/notes.txt"):
        with pytest.raises(RefusedInput, match="expected a new folder or one of `vesselkit refseg`, found other files"):
            start(path, {"prompt": "a"})


def test_prompts_of_an_image_are_asked_32_at_a_time(tmp_path):
    texts = [f"left {number}" for number in range(33)]
    entries = [{"image": "a.png", "mask": [[SQUARE]] * 33, "text": texts}]
    items = read_expressions(open_dataset(write_sa2va(tmp_path / "data", entries))).items
    predictor = WordPredictor()
    found = predict_expressions(items, predictor, tmp_path / "out", "{expression}", "0" * 64)
    assert [len(asked) for asked in predictor.asked] == [32, 1] and found.warnings == []
    assert [one.expression_id for one in found.expressions] == [item.expression_id for item in items]
    assert predictor.asked[1] == ("left 32",)
    again = predict_expressions(items, predictor, tmp_path / "out", "{expression}", "0" * 64)
    assert again == found and len(predictor.asked) == 2


def test_prompts_that_fail_together_are_asked_by_halves(tmp_path):
    entries = [{"image": "a.png", "mask": [[SQUARE]] * 3, "text": ["left", "boom", "a left"]}]
    items = read_expressions(open_dataset(write_sa2va(tmp_path / "data", entries))).items
    predictor = WordPredictor()
    found = predict_expressions(items, predictor, tmp_path / "out", "{expression}", "0" * 64)
    assert predictor.asked == [("left", "boom", "a left"), ("left",), ("boom", "a left"), ("boom",), ("a left",)]
    assert [one.status for one in found.expressions] == ["ok", "error", "ok"]
    assert found.expressions[0].mask().sum() == 4 and found.expressions[1].mask() is None
    assert PredictedExpression("a", "ok", None, None, None).mask() is None


def test_images_of_other_versions_are_told_and_warned_of(tmp_path, caplog):
    dataset, output = open_dataset(write_sa2va(tmp_path / "data", ENTRIES)), tmp_path / "out"
    with pytest.MonkeyPatch.context() as before:
        before.setattr("helpers.__version__", "0.0.1")
        run(dataset, output)
    part_path(output, "b").unlink()
    with caplog.at_level(logging.WARNING):
        run(dataset, output)
    assert "1 cases of this run were computed with vesselkit 0.0.1, those to come are with" in caplog.text
    (warning,) = read(output)[1]["warnings"]
    assert "1 of 2 cases with vesselkit 0.0.1; 1 of 2 cases with vesselkit" in warning
