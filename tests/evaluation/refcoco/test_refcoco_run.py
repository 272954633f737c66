"""From expressions to cIoU and gIoU."""

import json

import pandas as pd
import pytest

from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.data.dataset import open_dataset
from helpers.evaluation.refcoco.expression_prediction import DEFAULT_PROMPT, prompt_of
from helpers.evaluation.refcoco.refcoco_run import refseg
from tests.support.annotation_files import OTHER, SQUARE
from tests.support.expressions import WordPredictor, write_refcoco, write_sa2va


def run(dataset, output, predictor=None, prompt=None):
    predictor = predictor or WordPredictor()
    return refseg(dataset, predictor.identity, lambda: predictor, output, prompt, processes=1)


def read(output):
    table = pd.read_parquet(output / "expressions.parquet").set_index("expression_id")
    return table, json.loads((output / "summary.json").read_text())


def test_the_prompt_is_that_of_the_protocol_with_the_words_as_trained():
    assert prompt_of(DEFAULT_PROMPT, "The Left.") == "<image>\n Please segment the left in this image."


def test_one_row_an_expression_and_both_numbers_by_hand(tmp_path):
    text = run(open_dataset(write_refcoco(tmp_path / "data")), tmp_path / "out")
    table, summary = read(tmp_path / "out")
    assert table["iou"].to_dict() == {"a-E01": 1, "a-E02": 1, "a-E03": 0, "b-E01": 0}
    assert list(table["status"]) == ["ok", "ok", "empty_mask", "no_seg"]
    assert list(table["outcome"]) == ["scored", "scored", "scored", "failed"]
    # both 4 + 4 of either 4 + 4 + 8 + 4
    found = {row["metric"]: row for row in summary["results"]}
    assert found["ciou"]["mean"] == pytest.approx(8 / 20) and found["giou"]["mean"] == pytest.approx(2 / 4)
    assert (found["ciou"]["unit"], found["ciou"]["n_units"], found["ciou"]["independent"]) == ("image", 2, False)
    assert (summary["expressions"], summary["images"], summary["failed"]) == (4, 2, 1)
    assert summary["left_out"] == {"entries that could not be read": 1}
    assert summary["title"] == "training list unknown"
    assert "| cIoU | 0.400 |" in text and "1 without a mask" in text


def test_an_image_is_prepared_once_and_equal_prompts_are_asked_once(tmp_path):
    predictor = WordPredictor()
    entries = [{"image": "a.png", "mask": [[SQUARE], [OTHER], [SQUARE]], "text": ["left", "right", "Left"]}]
    run(open_dataset(write_sa2va(tmp_path / "data", entries)), tmp_path / "out", predictor, "{expression}")
    assert predictor.asked == [("left", "right")]
    table, _ = read(tmp_path / "out")
    assert list(table["iou"]) == [1, 0, 1]


def test_a_prompt_that_fails_fails_alone(tmp_path):
    entries = [{"image": "a.png", "mask": [[SQUARE], [SQUARE], [SQUARE]], "text": ["left", "boom", "on the left"]}]
    run(open_dataset(write_sa2va(tmp_path / "data", entries)), tmp_path / "out", WordPredictor(most=2))
    table, summary = read(tmp_path / "out")
    assert list(table["status"]) == ["ok", "error", "ok"] and summary["failed"] == 1


def test_a_run_of_which_every_expression_is_an_error_ends_as_one(tmp_path):
    entries = [{"image": "a.png", "mask": [[SQUARE], [SQUARE]], "text": ["boom", "a boom"]}]
    with pytest.raises(VesselkitError, match=r"every expression ended in an error.*the first: error: .*boom") as caught:
        run(open_dataset(write_sa2va(tmp_path / "data", entries)), tmp_path / "out")
    assert caught.value.exit_code == 1 and list(read(tmp_path / "out")[0]["status"]) == ["error", "error"]


def test_a_stopped_run_goes_on_and_another_configuration_is_refused(tmp_path):
    dataset, output = open_dataset(write_refcoco(tmp_path / "data")), tmp_path / "out"
    run(dataset, output)
    before = (output / "summary.json").read_bytes()
    (output / "parts/a.json").write_text("{")
    (output / "summary.json").unlink()
    predictor = WordPredictor()
    run(dataset, output, predictor)
    assert len(predictor.asked) == 1 and (output / "summary.json").read_bytes() == before
    with pytest.raises(RefusedInput, match="prompt: the run has"):
        run(dataset, output, prompt="Where is {expression}?")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/notes.txt").write_text("x")
    with pytest.raises(RefusedInput, match="found other files"):
        run(dataset, tmp_path / "taken")


def test_no_file_name_is_written_where_ids_are_drawn(tmp_path):
    data = write_sa2va(tmp_path / "data", [{"image": "Doe_Jane.png", "mask": [[SQUARE]], "text": ["left"]}])
    (data / "dataset.json").unlink()
    (data / "a.png").rename(data / "Doe_Jane.png")
    run(open_dataset(data), tmp_path / "out")
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) == 5
    assert not [path for path in written if b"Doe" in path.read_bytes() or str(data).encode() in path.read_bytes()]


def test_words_that_no_prompt_can_hold_are_refused_before_the_model_is_loaded(tmp_path):
    entries = [{"image": "a.png", "mask": [[SQUARE], [SQUARE]], "text": ["left", "the <image>"]}]
    dataset = open_dataset(write_sa2va(tmp_path / "data", entries))
    with pytest.raises(RefusedInput, match="^expression a-E02: expected <image> at most once"):
        refseg(dataset, {}, lambda: pytest.fail("loaded"), tmp_path / "out")
    with pytest.raises(UsageProblem, match="^prompt: expected <image> at most once"):
        refseg(dataset, {}, lambda: pytest.fail("loaded"), tmp_path / "out", "<image> <image> {expression}")
    assert not (tmp_path / "out").exists()


def test_what_decides_the_predictions_is_written_down(tmp_path):
    dataset = open_dataset(write_refcoco(tmp_path / "data"))
    run(dataset, tmp_path / "out")
    config = json.loads((tmp_path / "out/refseg.json").read_text())["config"]
    assert set(config) == {"prompt", "model", "predictor", "threshold", "combine", "dataset"}
    assert (config["prompt"], config["threshold"], config["combine"]) == (DEFAULT_PROMPT, 0.5, "union")
    assert (config["model"], config["predictor"]) == ({"name": "words"}, {"device": "cpu"})
    assert config["dataset"]["image_bytes"] == sum(frame.path.stat().st_size for frame in dataset.frames)
    assert [text for _, text in config["dataset"]["expressions"]] == ["left", "The Left.", "both", "nothing"]
    assert read(tmp_path / "out")[1]["expressions"] == 4
