"""From expressions to cIoU and gIoU."""

import json
import logging
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from helpers.checkpoints.convert import convert
from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import Frame
from helpers.data.ids.case_ids import IdPolicy
from helpers.evaluation.refcoco.expression_prompts import DEFAULT_PROMPT
from helpers.prediction.model_choice import ModelChoice
from helpers.runs.run_folder import open_run
from helpers.stages import refseg_stage
from helpers.stages.refseg_stage import refseg
from tests.support.annotation_files import OTHER, SQUARE
from tests.support.expressions import EachPredictor, WordPredictor, write_refcoco, write_sa2va
from tests.support.expressions import read_scores as read
from tests.support.expressions import scored as run
from tests.support.run_files import run_files
from tests.support.tiny_sources import FIXTURES, fixture_sources

ENTRIES = [
    {"image": "a.png", "mask": [[SQUARE], [OTHER]], "text": ["left", "right"]},
    {"image": "b.png", "mask": [[SQUARE], [OTHER]], "text": ["nothing", "the left"]},
]


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


def test_looks_at_sealed_patients_are_counted_and_said(tmp_path):
    data = write_refcoco(tmp_path / "data")
    for name, patient in (("a", "P1"), ("b", "P2")):
        (data / f"images/{name}.png").rename(data / f"images/{patient}_{name}.png")
    for name in ("refs.json", "instances.json"):
        text = (data / name).read_text()
        (data / name).write_text(text.replace("a.png", "P1_a.png").replace("b.png", "P2_b.png"))
    rules = {"schema": "vesselkit.dataset", "schema_version": 2, "ids": "public", "group_by": "(?P<patient>P.)_"}
    (data / "dataset.json").write_text(json.dumps({**rules, "split": {"parts": {"train": ["P2"], "test": ["P1"]}}}))
    text = run(open_dataset(data), tmp_path / "out")
    assert text.startswith("# Referring segmentation: training list unknown; first look at this test set\n")
    assert read(tmp_path / "out")[1]["sealed"] == {
        "patients": 1, "cases": 1, "number": 1, "again": False, "kept": True
    }  # fmt: skip
    assert "1 look at this test set so far, this one" in run(open_dataset(data), tmp_path / "again")
    run(open_dataset(data, split="train"), tmp_path / "train")
    assert read(tmp_path / "train")[1]["sealed"] is None


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
    assert len(predictor.asked) == 2, "the other frame of the batch, too"
    assert (output / "summary.json").read_bytes() == before
    other = (
        "case_prompts: other ones of 2 of 2 cases; as p1 of a the run has '.*segment left in .*, asked for was 'Where"
    )
    with pytest.raises(RefusedInput, match=other):
        run(dataset, output, prompt="Where is {expression}?")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/notes.txt").write_text("x")
    with pytest.raises(RefusedInput, match="neither empty nor a run that can be resumed"):
        run(dataset, tmp_path / "taken")


def test_no_file_name_is_written_where_ids_are_drawn(tmp_path):
    data = write_sa2va(tmp_path / "data", [{"image": "Doe_Jane.png", "mask": [[SQUARE]], "text": ["left"]}])
    (data / "dataset.json").unlink()
    (data / "a.png").rename(data / "Doe_Jane.png")
    run(open_dataset(data), tmp_path / "out")
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {"run.json", "expressions.parquet", "summary.json", "summary.md"} <= {path.name for path in written}
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
    config = read(tmp_path / "out")[1]["config"]
    assert set(config) == {"prompt", "model", "predictor", "threshold", "combine", "dataset"}
    assert (config["prompt"], config["threshold"], config["combine"]) == (DEFAULT_PROMPT, 0.5, "union")
    assert (config["model"], config["predictor"]) == ({"name": "words"}, {"device": "cpu"})
    assert config["dataset"]["image_bytes"] == sum(frame.path.stat().st_size for frame in dataset.frames)
    assert config["dataset"]["expressions"] == read(tmp_path / "out")[1]["expressions"] == 4


def test_the_predictions_are_a_run_that_asked_each_case_its_own_prompts(tmp_path):
    run(open_dataset(write_refcoco(tmp_path / "data")), tmp_path / "out", prompt="{expression}")
    found = open_run(tmp_path / "out")
    found.require_whole()
    assert {case_id: dict(found.asked.of(case_id)) for case_id in found.cases()} == {
        "a": {"p1": "left", "p2": "the left", "p3": "both"},
        "b": {"p1": "nothing"},
    }
    assert found.mask("a", "p2").sum() == 4 and found.mask("b", "p1") is None
    table = read(tmp_path / "out")[0]
    assert list(table["status"]) == [str(rows[0].status) for rows in found.predictions()]


def test_frames_of_a_batch_are_predicted_together(tmp_path):
    predictor = EachPredictor()
    run(open_dataset(write_sa2va(tmp_path / "data", ENTRIES)), tmp_path / "out", predictor, "{expression}")
    assert predictor.calls == [[("left", "right"), ("nothing", "the left")]]
    assert list(read(tmp_path / "out")[0]["iou"]) == [1, 0, 0, 0]


def test_prompts_of_an_image_are_asked_32_at_a_time(tmp_path):
    texts = [f"left {number}" for number in range(33)]
    entries = [{"image": "a.png", "mask": [[SQUARE]] * 33, "text": texts}]
    predictor = WordPredictor()
    run(open_dataset(write_sa2va(tmp_path / "data", entries)), tmp_path / "out", predictor, "{expression}")
    assert [len(asked) for asked in predictor.asked] == [32, 1] and predictor.asked[1] == ("left 32",)
    table, _ = read(tmp_path / "out")
    assert list(table["expression"]) == texts and set(table["iou"]) == {1}


def test_prompts_that_fail_together_are_asked_by_halves(tmp_path):
    entries = [{"image": "a.png", "mask": [[SQUARE]] * 3, "text": ["left", "boom", "a left"]}]
    predictor = WordPredictor()
    run(open_dataset(write_sa2va(tmp_path / "data", entries)), tmp_path / "out", predictor, "{expression}")
    assert predictor.asked == [("left", "boom", "a left"), ("left",), ("boom", "a left"), ("boom",), ("a left",)]
    table, _ = read(tmp_path / "out")
    assert list(table["status"]) == ["ok", "error", "ok"] and list(table["rle"].isna()) == [False, True, False]


class Dies(BaseException):
    """Ends a call as the end of its process does."""


class DyingPredictor(EachPredictor):
    """Dies in its second call."""

    def predict_each(self, prepared, prompts):
        if self.calls:
            raise Dies
        return super().predict_each(prepared, prompts)


def test_a_call_that_died_and_goes_on_equals_one_that_did_not(tmp_path):
    data = write_sa2va(tmp_path / "data", ENTRIES)
    shutil.copy(data / "b.png", data / "c.png")
    shutil.copy(data / "a.png", data / "d.png")
    more = [{**entry, "image": name} for entry, name in zip(ENTRIES, ("c.png", "d.png"), strict=True)]
    (data / "annotations.json").write_text(json.dumps([*ENTRIES, *more]))
    dataset = open_dataset(data)
    run(dataset, tmp_path / "whole", EachPredictor())
    with pytest.raises(Dies):
        run(dataset, tmp_path / "out", DyingPredictor())
    assert sorted(path.name for path in (tmp_path / "out/parts").iterdir()) == ["a.json", "b.json"]
    assert not (tmp_path / "out/summary.json").exists()
    rest = EachPredictor()
    run(dataset, tmp_path / "out", rest)
    assert len(rest.calls) == 1, "the first batch stays"
    assert run_files(tmp_path / "out") == run_files(tmp_path / "whole")


def test_a_call_that_finds_all_in_order_predicts_nothing_and_says_nothing(tmp_path, caplog):
    dataset, predictor = open_dataset(write_sa2va(tmp_path / "data", ENTRIES)), EachPredictor()
    run(dataset, tmp_path / "out")
    before = run_files(tmp_path / "out")
    caplog.clear()
    run(dataset, tmp_path / "out", predictor)
    assert predictor.calls == [] and not caplog.records and run_files(tmp_path / "out") == before


def test_images_of_other_versions_are_told_and_warned_of(tmp_path, caplog):
    dataset, output = open_dataset(write_sa2va(tmp_path / "data", ENTRIES)), tmp_path / "out"
    with pytest.MonkeyPatch.context() as before:
        before.setattr("helpers.__version__", "0.0.1")
        run(dataset, output)
    (output / "parts/b.json").unlink()
    with caplog.at_level(logging.WARNING):
        run(dataset, output)
    assert "1 case of this run computed with vesselkit 0.0.1, those to come with" in caplog.text
    (warning,) = read(output)[1]["warnings"]
    assert "1 of 2 cases with vesselkit 0.0.1; 1 of 2 cases with vesselkit" in warning
    assert f"**warning:** {warning}" in (output / "summary.md").read_text()


def test_prediction_gets_frames_and_words_alone(tmp_path, monkeypatch):
    """A reference to what an expression means would be the ground truth."""
    given = []

    def spied(frames, predictor, output, prompts, **settings):
        given.append((frames, prompts, settings))
        return predict(frames, predictor, output, prompts, **settings)

    predict = refseg_stage.predict
    monkeypatch.setattr(refseg_stage, "predict", spied)
    run(open_dataset(write_refcoco(tmp_path / "data")), tmp_path / "out")
    ((frames, prompts, settings),) = given
    assert {type(frame) for frame in frames} == {Frame}
    assert all(type(text) is str for own in prompts.values() for text in own)
    assert set(settings) == {"threshold", "combine", "limit", "dataset", "official_check"}
    json.dumps(settings["dataset"])  # plain values


@pytest.fixture
def former(tmp_path):
    """What was written of the fixture's model before the predictions were a run, and its data set."""
    data = tmp_path / "data"
    shutil.copytree(FIXTURES / "images", data)
    shutil.copy(FIXTURES / "refseg_parts/annotations.json", data)
    shutil.copytree(FIXTURES / "refseg_parts/out", tmp_path / "former")
    return open_dataset(data, ids=IdPolicy.KEEP), tmp_path / "former"


@pytest.mark.parametrize("finished", [True, False])
def test_predictions_of_before_they_were_a_run_are_refused_and_stay(former, finished):
    dataset, output = former
    if not finished:
        (output / "summary.json").unlink()
        (output / "parts/image_04.json").unlink()
    before = run_files(output)
    with pytest.raises(RefusedInput, match=r"earlier versions of `vesselkit refseg`.*name a new folder to predict"):
        refseg(dataset, {}, lambda: pytest.fail("loaded"), output)
    assert run_files(output) == before


def test_the_numbers_are_those_of_before_the_predictions_were_a_run(former, tmp_path):
    dataset, before = former
    sizes = json.loads((FIXTURES / "sam2_sizes.json").read_text())
    (tmp_path / "sizes.json").write_text(json.dumps({**sizes, "image_size": 1024}))  # as they were then
    convert(replace(fixture_sources(), sizes=tmp_path / "sizes.json").request(tmp_path / "model"))
    choice = ModelChoice(tmp_path / "model", device="cpu").open()
    text = refseg(dataset, choice.identity, choice.load, tmp_path / "out", processes=1)
    (then, summary_then), (now, summary_now) = (read(folder) for folder in (before, tmp_path / "out"))
    assert list(now.columns) == list(then.columns) and list(now.index) == list(then.index)
    told = ["case_id", "expression", "status", "answer", "message"]
    pd.testing.assert_frame_equal(now[told], then[told])
    pd.testing.assert_series_equal(now["iou"], then["iou"], atol=1e-3)
    means = [{row["metric"]: row["mean"] for row in one["results"]} for one in (summary_then, summary_now)]
    assert means[1] == pytest.approx(means[0], abs=1e-3) and set(means[0]) == {"ciou", "giou"}
    assert summary_now["config"]["dataset"]["listing_sha256"] == summary_then["config"]["dataset"]["listing_sha256"]
    assert summary_now.keys() == {*summary_then, "sealed"} and summary_now["expressions"] == 10
    # The table has intervals of another kind since.
    prose = [
        [line for line in one.splitlines() if "|" not in line] for one in ((before / "summary.md").read_text(), text)
    ]
    assert prose[0] == prose[1] and len(prose[0]) > 5
