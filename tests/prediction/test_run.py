"""A run folder of frames: its rows, its configuration, and what is said at its end."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Combine, Mode
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.rules import Rules
from helpers.prediction.run import (
    check_parameters,
    known_values,
    listing_sha256,
)
from helpers.prediction.work_shards import WorkShard
from helpers.runs.run_folder import open_run
from tests.support.plain_predictor import MARKS, PROMPT, PlainPredictor, compute


def test_a_run_has_a_row_for_each_case_and_prompt(frames, tmp_path):
    summary = compute(frames, tmp_path / "run", prompts=["vessels", "arteries"])
    assert (summary.complete, summary.cases) == (True, 7)
    table = open_run(tmp_path / "run").table()
    assert table[["case_id", "prompt_id"]].values.tolist() == [
        [frame.case_id, prompt_id] for frame in frames for prompt_id in ("p1", "p2")
    ]
    assert set(table["status"].astype(str)) == {"ok"} and set(table["mask_pixels"]) == {1}
    assert open_run(tmp_path / "run").prompts == {"p1": "vessels", "p2": "arteries"}
    assert summary.to_text().startswith("7 cases x 2 prompts: 14 ok\nwritten to ")


def test_the_summary_names_the_cases_without_an_answer(frames, tmp_path):
    for frame in (frames[1], frames[5]):
        frame.path.write_bytes(b"broken")
    summary = compute(frames, tmp_path / "run", PlainPredictor({3: ValueError("no")}), prompts=["a", "b"])
    lines = summary.to_text().splitlines()
    assert lines[:3] == ["7 cases x 2 prompts: 8 ok, 4 read_error, 2 error", "read_error: c02, c06", "error: c03"]
    assert lines[3] == "the same command tries those of read_error again"


def test_a_run_of_which_every_case_is_an_error_says_so(frames, tmp_path):
    failing = PlainPredictor(dict.fromkeys(MARKS, ValueError("no such kernel")))
    frames[1].path.write_bytes(b"broken")
    summary = compute(frames, tmp_path / "run", failing)
    said = "every case ended in an error, so that nothing was predicted; the first: c01, error: "
    assert summary.complete and said in summary.to_text() and "no such kernel" in summary.failure
    assert compute(frames, tmp_path / "run", PlainPredictor()).failure == summary.failure, "nothing was computed again"
    not_finite = PlainPredictor(dict.fromkeys(MARKS, lambda answer: replace(answer, logits=answer.logits * np.nan)))
    assert compute(frames[2:], tmp_path / "nan", not_finite).failure.startswith("c03, nan_logits: ")
    empty = PlainPredictor(dict.fromkeys(MARKS, lambda answer: replace(answer, logits=answer.logits[:0])))
    assert compute(frames[2:], tmp_path / "no_seg", empty).failure is None, "an answer without a mask is an answer"
    one_left = PlainPredictor(dict.fromkeys(MARKS[:-1], ValueError("no")))
    assert compute(frames, tmp_path / "one", one_left).failure is None


def test_the_configuration_holds_all_that_decides(frames, tmp_path):
    compute(frames, tmp_path / "run", dataset={"layout": "images", "key_fingerprint": "ab"}, limit=3)
    text = (tmp_path / "run/run.json").read_text()
    config = json.loads(text)["config"]
    assert config["model"] == {"name": "plain"} and config["predictor"] == {"device": "cpu", "dtype": "float32"}
    assert (config["prompts"], config["threshold"], config["combine"]) == ({"p1": PROMPT}, 0.5, "union")
    assert (config["batch_size"], config["limit"]) == (2, 3)
    assert config["dataset"] == {
        "layout": "images",
        "key_fingerprint": "ab",
        "cases": 3,
        "listing_sha256": listing_sha256(frames[:3]),
    }
    assert "Doe" not in text and str(tmp_path) not in text


def test_answers_of_a_wrong_shape_become_errors_of_their_frame(frames, tmp_path):
    predictor = PlainPredictor({2: lambda answer: replace(answer, logits=answer.logits[:, :1])})
    compute(frames, tmp_path / "run", predictor)
    statuses = open_run(tmp_path / "run").table().set_index("case_id")["status"].astype(str)
    assert statuses["c02"] == "error" and (statuses.drop("c02") == "ok").all()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (([],), "prompt"),
        ((["a", " "],), "prompt"),
        ((["a", "a"],), "got one twice"),
        ((["a"], 1.0), "threshold"),
        ((["a"], 0.5, 0), "batch size: expected at least 1, got 0"),
        ((["a"], 0.5, None, -1), "limit: expected at least 1, got -1"),
    ],
)
def test_parameters_that_cannot_work(arguments, said):
    threshold = arguments[1] if len(arguments) > 1 else 0.5
    with pytest.raises(UsageProblem, match=said):
        check_parameters(arguments[0], threshold, *arguments[2:])


def test_the_listing_knows_ids_and_groups_but_no_files(frames):
    changes = ({"case_id": "x"}, {"index": 3}, {"patient": "P9"}, {"split": "dev"})
    others = {listing_sha256([replace(frames[0], **change), *frames[1:]]) for change in changes}
    assert len(others | {listing_sha256(frames)}) == len(changes) + 1
    moved = [replace(frame, path=frame.path.with_name("x.png"), nbytes=1) for frame in frames]
    assert listing_sha256(moved) == listing_sha256(frames)


def test_the_frames_are_those_that_were_drawn(frames):
    assert read_frame(frames[2].path, None).getpixel((0, 0)) == (3, 3, 3)


def test_the_order_of_time_is_part_of_runs_that_depend_on_it_alone(tmp_path):
    frames = [Frame(name, tmp_path / name, sequence="S", position=place) for name, place in (("a", 1), ("b", 0))]
    turned = [replace(frame, position=1 - frame.position) for frame in frames]
    settings = {"threshold": 0.5, "combine": Combine.UNION, "limit": None, "dataset": None}

    def dataset(given, mode):
        return known_values(given, [PROMPT], **settings, mode=mode)["dataset"]

    assert dataset(frames, Mode.FRAME) == dataset(turned, Mode.FRAME)
    assert dataset(frames, Mode.TRACK).keys() - dataset(turned, Mode.TRACK).keys() == {"order_sha256"}
    assert dataset(turned, Mode.TRACK) == dataset([replace(frame, position=None) for frame in frames], Mode.TRACK)


def deep_frames(folder, tops):
    """One 16-bit frame for each top, equal but for one pixel of that value."""
    for number, top in enumerate(tops):
        Image.fromarray(np.array([[5, 300, 700], [900, 1000, top]], np.uint16)).save(folder / f"f{number}.png")
    return open_dataset(folder, layout="images", ids=IdPolicy.KEEP)


def drawn(run):
    return {row.case_id: row.image_sha256 for row in open_run(run).rows}


def test_a_part_of_a_run_reads_frames_as_the_whole_does(tmp_path):
    (tmp_path / "data").mkdir()
    dataset = deep_frames(tmp_path / "data", (1001, 1001, 3000, 1001))
    compute(dataset.frames, tmp_path / "all", dataset=dataset.identity)
    compute(dataset.frames, tmp_path / "some", dataset=dataset.identity, limit=1)
    for index in (2, 1):
        compute(dataset.frames, tmp_path / "parts", dataset=dataset.identity, shard=WorkShard(index, 2))
    whole = drawn(tmp_path / "all")
    assert whole == drawn(tmp_path / "parts") and drawn(tmp_path / "some") == {"f0": whole["f0"]}
    assert whole["f0"] == whole["f1"] == whole["f3"] != whole["f2"]
    config = open_run(tmp_path / "all").config.values
    assert config["dataset"]["bits"] == 12


def test_a_run_of_another_depth_is_refused_and_stays_readable(tmp_path):
    (tmp_path / "data").mkdir()
    dataset = deep_frames(tmp_path / "data", (1001,))
    compute(dataset.frames, tmp_path / "run", dataset=dataset.identity)
    before = {name: value for name, value in dataset.identity.items() if name != "bits"}
    compute([replace(frame, bits=None) for frame in dataset.frames], tmp_path / "old", dataset=before)
    deeper = open_dataset(tmp_path / "data", layout="images", ids=IdPolicy.KEEP, tried=Rules(bits=12))
    for run, found in (("run", "10"), ("old", "nothing")):
        with pytest.raises(RefusedInput, match=f"dataset.bits: the run has {found}, asked for was 12"):
            compute(deeper.frames, tmp_path / run, dataset=deeper.identity)
        assert len(open_run(tmp_path / run).rows) == 1
    assert drawn(tmp_path / "run") == drawn(tmp_path / "old")
