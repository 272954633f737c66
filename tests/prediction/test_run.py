"""A run folder from start to end: resumed, sharded, refused."""

import errno
import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.core.errors import RefusedInput, Stopped, UsageProblem, VesselkitError
from helpers.core.vocabulary import Combine, Mode
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.rules import Rules
from helpers.prediction import run as run_module
from helpers.prediction.run import (
    CPU_BATCH,
    automatic_batch_size,
    check_output,
    check_parameters,
    known_values,
    listing_sha256,
    predict,
)
from helpers.prediction.work_shards import WorkShard
from helpers.runs import finishing
from helpers.runs.durable import write_durable
from helpers.runs.run_folder import open_run
from helpers.runs.shard_lock import shard_lock
from tests.support.drawn_frames import draw_frames
from tests.support.plain_predictor import PROMPT, PlainPredictor
from tests.support.run_files import run_files

MARKS = [1, 2, 3, 4, 5, 6, 7]


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return draw_frames(folder, MARKS)


def compute(frames, folder, predictor=None, **options):
    options = {"prompts": [PROMPT], "batch_size": 2, **options}
    return predict(frames, predictor or PlainPredictor(), folder, **options)


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


def test_an_interrupt_says_how_many_are_done(frames, tmp_path):
    with pytest.raises(Stopped, match="stopped with 4 of 7 cases done"):
        compute(frames, tmp_path / "stopped", interrupted_after(1))


def test_shards_say_it_of_their_own_cases_and_the_last_one_of_the_run(frames, tmp_path):
    """Of batches of 2 the first shard has the first and third, the second shard the others."""
    failing = PlainPredictor(dict.fromkeys((1, 2, 5, 6), ValueError("no")))
    first = compute(frames, tmp_path / "run", failing, shard=WorkShard(1, 2))
    assert not first.complete and first.failure.startswith("c01, error") and "every case ended" in first.to_text()
    last = compute(frames, tmp_path / "run", failing, shard=WorkShard(2, 2))
    assert last.complete and last.failure is None
    every = PlainPredictor(dict.fromkeys(MARKS, ValueError("no")))
    both = [compute(frames, tmp_path / "all", every, shard=WorkShard(number, 2)) for number in (1, 2)]
    assert all(one.failure.startswith("c0") for one in both) and both[1].complete
    idle = compute(frames[:2], tmp_path / "idle", every, shard=WorkShard(2, 2))
    assert not idle.complete and idle.failure is None, "a share without a case says nothing"


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


def interrupted_after(batches):
    """A predictor that is sent SIGTERM while it computes the batch after so many."""
    predictor = PlainPredictor()
    compute_batch = predictor.predict

    def stopped(prepared, prompts):
        if len(predictor.batches) == batches:
            os.kill(os.getpid(), signal.SIGTERM)
        return compute_batch(prepared, prompts)

    predictor.predict = stopped
    return predictor


def test_a_stopped_run_goes_on_and_equals_an_uninterrupted_one(frames, tmp_path):
    compute(frames, tmp_path / "whole")
    with pytest.raises(Stopped, match="stopped with 4 of 7 cases done; the same command goes on from there") as stopped:
        compute(frames, tmp_path / "run", interrupted_after(1))
    assert stopped.value.exit_code == 130
    assert not (tmp_path / "run/manifest.json").exists()
    predictor = PlainPredictor()
    assert compute(frames, tmp_path / "run", predictor).complete
    assert predictor.batches == [[5, 6], [7]]
    assert run_files(tmp_path / "run") == run_files(tmp_path / "whole")


def test_a_batch_with_one_case_missing_is_computed_whole(frames, tmp_path):
    with pytest.raises(VesselkitError):
        compute(frames, tmp_path / "run", interrupted_after(1))
    (tmp_path / "run/parts/c02.json").unlink()
    kept = (tmp_path / "run/parts/c01.json").stat().st_mtime_ns
    predictor = PlainPredictor()
    compute(frames, tmp_path / "run", predictor)
    assert predictor.batches == [[1, 2], [5, 6], [7]]
    assert (tmp_path / "run/parts/c01.json").stat().st_mtime_ns == kept


def test_a_finished_run_is_left_as_it_is(frames, tmp_path):
    compute(frames, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.json")}
    predictor = PlainPredictor()
    assert compute(frames, tmp_path / "run", predictor).complete and predictor.batches == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.json")} == before


@pytest.mark.parametrize(
    "change, field",
    [
        ({"threshold": 0.4}, "threshold"),
        ({"prompts": ["arteries"]}, "prompts"),
        ({"combine": Combine.BEST}, "combine"),
        ({"batch_size": 3}, "batch_size"),
        ({"dataset": {"key_fingerprint": "cd"}}, "dataset"),
    ],
)
def test_another_configuration_is_refused_with_what_differs(frames, tmp_path, change, field):
    compute(frames, tmp_path / "run")
    before = run_files(tmp_path / "run")
    with pytest.raises(RefusedInput, match=field):
        compute(frames, tmp_path / "run", **change)
    assert run_files(tmp_path / "run") == before


def test_what_is_known_without_a_model_is_compared_before_one_is_loaded(frames, tmp_path):
    compute(frames, tmp_path / "run")
    settings = {"threshold": 0.5, "combine": Combine.UNION, "limit": None, "dataset": None}
    check_output(tmp_path / "run", known_values(frames, [PROMPT], **settings))
    with pytest.raises(RefusedInput, match=r"threshold: the run has 0\.5, asked for was 0\.4"):
        check_output(tmp_path / "run", known_values(frames, [PROMPT], **{**settings, "threshold": 0.4}))
    with pytest.raises(RefusedInput, match="model.name"):
        check_output(tmp_path / "run", {"model": {"name": "other"}})
    check_output(tmp_path / "new", {"threshold": 0.4})


def test_a_run_killed_before_its_configuration_was_written_goes_on(frames, tmp_path):
    (tmp_path / "run/locks").mkdir(parents=True)
    (tmp_path / "run/.partial-run.json-12345678").write_text("{")
    assert compute(frames, tmp_path / "run").complete
    assert not list((tmp_path / "run").glob(".partial-*"))


def test_another_model_or_data_set_is_refused(frames, tmp_path):
    compute(frames, tmp_path / "run")
    other = PlainPredictor()
    other.identity = {"name": "other"}
    with pytest.raises(RefusedInput, match="model"):
        compute(frames, tmp_path / "run", other)
    with pytest.raises(RefusedInput, match="dataset: its cases, or their groups or splits, are not those"):
        compute([replace(frames[0], patient="P9"), *frames[1:]], tmp_path / "run")


def test_auto_takes_the_recorded_batch_size(frames, tmp_path, monkeypatch):
    with pytest.raises(VesselkitError):
        compute(frames, tmp_path / "run", interrupted_after(1))
    monkeypatch.setattr(run_module, "automatic_batch_size", lambda device: 5)
    predictor = PlainPredictor()
    compute(frames, tmp_path / "run", predictor, batch_size=None)
    assert predictor.batches == [[5, 6], [7]]


def test_batch_size_by_device(monkeypatch):
    assert automatic_batch_size("cpu") == CPU_BATCH
    sizes = []
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    for free in (1 << 30, 5 << 30, 80 << 30):
        monkeypatch.setattr(run_module, "free_bytes", lambda device, free=free: free)
        sizes.append(automatic_batch_size("cuda"))
    assert sizes == [1, 3, 16]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_shards_together_equal_one_process(frames, tmp_path, order):
    compute(frames, tmp_path / "whole")
    ended = [compute(frames, tmp_path / "run", shard=WorkShard(index, 3)).complete for index in order]
    assert ended == [False, False, True]
    assert run_files(tmp_path / "run") == run_files(tmp_path / "whole")


def test_a_shard_of_nothing_is_done_at_once(frames, tmp_path):
    summary = compute(frames[:2], tmp_path / "run", shard=WorkShard(2, 2))
    assert not summary.complete and "the other shards" in summary.to_text()


def test_a_second_process_on_a_shard_is_refused(frames, tmp_path):
    compute(frames, tmp_path / "run", shard=WorkShard(1, 2))
    with shard_lock(tmp_path / "run", 2, 2), pytest.raises(VesselkitError):
        compute(frames, tmp_path / "run", shard=WorkShard(2, 2))
    assert compute(frames, tmp_path / "run", shard=WorkShard(2, 2)).complete


def test_a_folder_of_something_else_is_refused(frames, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.tex").write_text("mine")
    with pytest.raises(RefusedInput, match="neither empty nor a run that can be resumed"):
        compute(frames, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "number, said",
    [
        (errno.ENOSPC, "the disk became full; the cases written before are kept. Free some space and run the same"),
        (errno.EROFS, r"a result could not be written \(Read-only.*\); .* Make the folder writable and run the same"),
    ],
)
@pytest.mark.parametrize("name", ["predictions.parquet", "coco.json", "manifest.json"])
def test_a_run_that_cannot_be_finished_says_so_and_goes_on_later(frames, tmp_path, monkeypatch, number, said, name):
    def write(path, content):
        if path.name == name:
            raise OSError(number, os.strerror(number))
        write_durable(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(finishing, "write_durable", write)
        with pytest.raises(VesselkitError, match=said) as raised:
            compute(frames, tmp_path / "run")
    assert raised.value.exit_code == 1
    predictor = PlainPredictor()
    assert compute(frames, tmp_path / "run", predictor).complete and predictor.batches == []


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
