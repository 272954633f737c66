"""What is scored: its facts and names; equal ids of runs and data set mean equal frames, or nothing is scored."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import pixel_sha256
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.rules import Rules
from helpers.evaluation import scored_runs as module
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.scored_runs import (
    ScoredRun,
    distinct_names,
    open_scored_runs,
    require_predicted,
    require_same_frames,
    require_untuned,
    require_whole,
)
from helpers.prediction.run import predict
from tests.support.plain_predictor import PlainPredictor
from tests.support.vessel_runs import SIDE, write_data, write_run


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


def run_of(data, folder):
    predict(data.frames, PlainPredictor(), folder)
    return folder


def with_inverted(data, folder, numbers):
    """A copy of a data set in which some frames, by position, show something else."""
    shutil.copytree(data.root, folder)
    for number in numbers:
        path = folder / data.frames[number].path.relative_to(data.root)
        ImageOps.invert(Image.open(path).convert("RGB")).save(path)
    return open_dataset(folder)


def test_runs_of_other_data_with_the_same_kept_ids_are_refused(data, tmp_path):
    first = run_of(data, tmp_path / "first")
    second = run_of(with_inverted(data, tmp_path / "other", [2, 5]), tmp_path / "second")
    assert len(open_scored_runs([first, first], names=["a", "b"])) == 2
    said = f"first and second: .* other pixels in 2 of 12 common cases, the first {data.frames[2].case_id}"
    with pytest.raises(RefusedInput, match=said):
        open_scored_runs([first, second])


def test_runs_of_one_name_are_numbered_past_names_that_are_taken(tmp_path):
    folders = [write_run(tmp_path / name, {"a": None}) for name in ("x/run", "y/run", "z/run-2", "z/run")]
    assert [scored_run.name for scored_run in open_scored_runs(folders)] == ["run", "run-2", "run-2-2", "run-3"]


def test_a_run_is_not_scored_on_other_frames_than_it_was_made_for(data, tmp_path):
    run = run_of(data, tmp_path / "run")
    other = with_inverted(data, tmp_path / "other", [4])
    with pytest.raises(RefusedInput, match=rf"other pixels in 1 of 12 cases .* the first {data.frames[4].case_id}"):
        evaluate([run], other, tmp_path / "m", processes=1)
    assert not (tmp_path / "m").exists()


def test_a_run_is_not_scored_on_frames_of_another_depth(tmp_path):
    for name, ramp in (("images", np.linspace(0, 3000, 64)), ("masks", np.arange(64) % 2 * 255)):
        (tmp_path / "data" / name).mkdir(parents=True)
        values = ramp.reshape(8, 8).astype(np.uint16 if name == "images" else np.uint8)
        Image.fromarray(values).save(tmp_path / "data" / name / "a.png")
    dataset = open_dataset(tmp_path / "data", ids=IdPolicy.KEEP)
    predict(dataset.frames, PlainPredictor(), tmp_path / "run", batch_size=1, dataset=dataset.identity)
    deeper = open_dataset(tmp_path / "data", ids=IdPolicy.KEEP, tried=Rules(bits=14))
    said = r"other pixels in 1 of 1 case .* \(16-bit frames were read as 12 bits, and the data set has 14 bits\)"
    with pytest.raises(RefusedInput, match=said):
        evaluate([tmp_path / "run"], deeper, tmp_path / "m", processes=1)
    evaluate([tmp_path / "run"], dataset, tmp_path / "m", processes=1)


def test_frames_are_read_only_where_their_files_are_not_as_found(data, tmp_path, monkeypatch):
    scored_runs = open_scored_runs([run_of(data, tmp_path / "run")])
    copied = with_inverted(data, tmp_path / "copied", [])
    (copied.root / copied.frames[0].path.relative_to(copied.root)).write_bytes(b"unreadable now")
    read = []
    monkeypatch.setattr(module, "current_sha256", lambda frame: read.append(frame.case_id))
    require_same_frames(scored_runs, data, [frame.case_id for frame in data.frames])
    assert read == []
    require_same_frames(scored_runs, copied, [frame.case_id for frame in copied.frames[:3]])
    assert read == [frame.case_id for frame in copied.frames[:3]]


def test_the_model_is_named_for_people(tmp_path):
    models = {
        "sa2va": ({"folder_name": "vessel-4b"}, "vessel-4b"),
        "floor": ({"kind": "vesselness", "ridge": "frangi", "tuned_on": None}, "frangi, default settings"),
        "tuned": (
            {"kind": "vesselness", "ridge": "sato", "tuned_on": {"cases": ["a", "b"]}},
            "sato, tuned on 2 cases",
        ),
        "second": ({"kind": "imported", "name": "reader 2"}, "reader 2, imported"),
        "none": (None, ""),
    }
    for name, (model, shown) in models.items():
        (scored_run,) = open_scored_runs([write_run(tmp_path / name, {"a": None}, model=model)])
        assert scored_run.model_name == shown and scored_run.official_check is None


def test_what_decides_the_masks(tmp_path):
    config = {"model": {"a": 1}, "predictor": {"b": 2}, "limit": 9, "dataset": {"ids": "kept"}, "threshold": 0.25}
    (scored_run,) = open_scored_runs(
        [write_run(tmp_path / "run", {"a": None}, combine="first", **config)], names=["mine"]
    )
    assert scored_run.facts() == {
        "name": "mine",
        "prompt_id": "p1",
        "prompt": "vessel",
        "config_sha256": scored_run.run.config.config_sha256,
        **config,
        "combine": "first",
        "data_sha256": scored_run.run.manifest["data_sha256"],
    }
    assert len(scored_run.facts()["data_sha256"]) == 64


def test_a_mask_and_how_it_ended(tmp_path):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[3, 4] = True
    (scored_run,) = open_scored_runs([write_run(tmp_path / "run", {"a": mask, "b": None})])
    assert np.array_equal(scored_run.mask("a"), mask) and scored_run.mask("b") is None and scored_run.mask("c") is None
    assert [scored_run.status(case_id) for case_id in "abc"] == ["ok", "no_seg", "missing"]


def test_names_must_fit_the_runs(tmp_path):
    runs = [write_run(tmp_path / name, {"a": None}) for name in ("x", "y")]
    with pytest.raises(UsageProblem, match="at least one run"):
        open_scored_runs([])
    for names in (["one"], ["one", "two", "three"], ["one", "one"], ["one", " "]):
        with pytest.raises(UsageProblem, match="a different one for each of the 2 runs"):
            open_scored_runs(runs, names=names)
    assert [scored_run.name for scored_run in open_scored_runs(runs, names=["two", "one"])] == ["two", "one"]


def test_cases_that_parameters_were_chosen_on_are_not_scored(tmp_path):
    def scored_runs(**model):
        return open_scored_runs([write_run(tmp_path / f"run{len(list(tmp_path.iterdir()))}", {"a": None}, model=model)])

    kept, keyed = SimpleNamespace(key_fingerprint=None), SimpleNamespace(key_fingerprint="k")
    untuned, tuned = scored_runs(), scored_runs(tuned_on={"cases": ["a", "b"]})
    elsewhere = scored_runs(tuned_on={"cases": ["a", "b"], "key_fingerprint": "k"})
    assert require_untuned(untuned, keyed, ["a"]) == require_untuned(tuned, kept, ["c"]) == []
    assert require_untuned(elsewhere, keyed, ["c"]) == []
    for chosen, dataset in ((tuned, keyed), (elsewhere, kept)):
        (warning,) = require_untuned(chosen, dataset, ["a"])
        assert "were chosen on 2 cases under another key" in warning
    with pytest.raises(RefusedInput, match="chosen on 1 of the cases to be scored, the first b"):
        require_untuned([*elsewhere, *tuned], kept, ["b", "c"])


def whole(name, unchecked=None, mixture=None, asked=None):
    run = SimpleNamespace(
        folder=SimpleNamespace(name=name),
        unchecked=unchecked,
        mixture=mixture,
        require_whole=lambda case_ids, prompt_id: (asked if asked is not None else []).append((case_ids, prompt_id)),
    )
    return SimpleNamespace(run=run, prompt_id="p1")


def test_what_runs_cannot_tell_is_warned_of_once():
    asked = []
    first, again = whole("a", "no digests", asked=asked), whole("a", "no digests")
    runs = [first, again, whole("b", None, "two versions"), whole("c")]
    assert require_whole(runs, ["x"]) == ["run a: no digests", "run b: two versions"]
    assert asked == [(["x"], "p1")]


def test_a_repeated_name_gets_the_next_free_number():
    assert distinct_names(["a", "b", "a", "a-2", "a", "b"]) == ["a", "b", "a-2", "a-2-2", "a-3", "b-2"]


@pytest.mark.parametrize(("hashes", "fine"), [({}, True), ({"x": None}, True), ({"x": "0" * 64}, False)])
def test_the_frame_that_was_predicted(hashes, fine):
    image = Image.new("RGB", (4, 3), 7)
    known = {case_id: value or pixel_sha256(image) for case_id, value in hashes.items()}
    scored_run = SimpleNamespace(run=SimpleNamespace(image_hashes=known))
    if fine:
        require_predicted("x", image, [scored_run])
        return
    with pytest.raises(RefusedInput, match="x: expected the frame that was predicted, found other pixels"):
        require_predicted("x", image, [scored_run])


def test_how_a_model_stood_to_the_official_code_is_that_of_the_run():
    run = SimpleNamespace(manifest={"official_check": {"outcome": "same"}})
    assert ScoredRun("a", run, "p1").official_check == {"outcome": "same"}
    assert ScoredRun("a", SimpleNamespace(manifest={}), "p1").official_check is None
