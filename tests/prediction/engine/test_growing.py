"""A run of the first cases goes on with the others, and says at any time how far it goes."""

import json
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from helpers.core.errors import RefusedInput, Stopped, VesselkitError
from helpers.core.vocabulary import Combine
from helpers.prediction import run as run_module
from helpers.prediction.resume import RecomputeReason
from helpers.prediction.run import check_asking, predict
from helpers.prediction.sequences.sequence_answers import own_limit
from helpers.prediction.work_shards import WorkShard
from helpers.runs.case_parts import read_part
from helpers.runs.finishing import is_finished
from helpers.runs.run_config import config_sha256, read_config
from helpers.runs.run_folder import open_run
from tests.support.drawn_frames import draw_frames
from tests.support.plain_predictor import PROMPT, PlainPredictor
from tests.support.run_files import run_files

RESULTS = ("logits/", "masks/", "predictions.parquet", "artefacts.parquet", "coco.json", "manifest.json")


@pytest.fixture
def frames(tmp_path):
    (tmp_path / "data").mkdir()
    return draw_frames(tmp_path / "data", range(1, 8))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def compute(frames, folder, **options):
    """Predict, and give the marks of the frames by batches, as they were computed."""
    predictor = PlainPredictor()
    predict(frames, predictor, folder, **{"prompts": [PROMPT], "batch_size": 2, **options})
    return predictor.batches


def results(folder):
    return {name: content for name, content in run_files(folder).items() if name.startswith(RESULTS)}


def test_the_others_are_computed_and_the_first_stay(frames, folder, tmp_path):
    summary = predict(frames, PlainPredictor(), folder, [PROMPT], batch_size=2, limit=4)
    assert "only the first 4 of 7 cases were asked for: the same without the limit" in summary.to_text()
    kept = (folder / "parts/c04.json").read_bytes()
    assert compute(frames, folder) == [[5, 6], [7]]
    assert (folder / "parts/c04.json").read_bytes() == kept
    compute(frames, tmp_path / "whole")
    assert results(folder) == results(tmp_path / "whole")
    assert compute(frames, folder) == []


def test_the_manifest_says_how_far_the_run_goes_at_every_step(frames, folder):
    compute(frames, folder, limit=2)
    for limit, cases in ((4, 4), (6, 6), (None, 7)):
        compute(frames, folder, limit=limit)
        manifest = open_run(folder).manifest
        assert (manifest["config"]["limit"], manifest["cases"], len(open_run(folder).cases())) == (limit, cases, cases)
    grown = json.loads((folder / "run.json").read_text())["grown_from"]
    assert [one["limit"] for one in grown] == [2, 4, 6] and [one["dataset"]["cases"] for one in grown] == [2, 4, 6]
    config = read_config(folder)
    assert read_part(folder, "c01").config_sha256 == config.first_sha256 == next(iter(config.earlier))


def test_a_batch_that_the_limit_cut_is_computed_whole(frames, folder, caplog):
    compute(frames, folder, limit=3)
    assert compute(frames, folder) == [[3, 4], [5, 6], [7]]
    assert f"1 case computed again ({RecomputeReason.CUT}): c03" in caplog.text


def test_a_run_that_was_stopped_while_it_grew_goes_on(frames, folder, monkeypatch, tmp_path):
    compute(frames, folder, limit=3)
    with monkeypatch.context() as patched:
        patched.setattr(run_module, "run_batches", lambda *given, **more: None)
        with pytest.raises(Stopped, match="stopped with 2 of 7"):
            compute(frames, folder)
    assert not (folder / "manifest.json").exists()
    with pytest.raises(RefusedInput, match="the run is not finished"):
        open_run(folder)
    assert compute(frames, folder) == [[3, 4], [5, 6], [7]]
    compute(frames, tmp_path / "whole")
    assert results(folder) == results(tmp_path / "whole")


def test_an_unfinished_run_of_the_first_cases_grows_as_well(frames, folder):
    compute(frames, folder, limit=4, shard=WorkShard(1, 2))
    assert compute(frames, folder) == [[3, 4], [5, 6], [7]]
    assert open_run(folder).manifest["cases"] == 7


def test_shards_go_on_with_a_run_of_the_first_cases(frames, folder):
    compute(frames, folder, limit=3)
    assert compute(frames, folder, shard=WorkShard(1, 2)) == [[5, 6]]
    assert not (folder / "manifest.json").exists()
    assert compute(frames, folder, shard=WorkShard(2, 2)) == [[3, 4], [7]]
    assert open_run(folder).manifest["cases"] == 7


@pytest.mark.parametrize(("before", "told"), [(None, "all 7"), (5, "the first 5")])
def test_fewer_cases_are_told_and_nothing_is_changed(frames, folder, before, told):
    compute(frames, folder, limit=before)
    kept = run_files(folder)
    with pytest.raises(
        RefusedInput, match=f"holds a run of {told} cases, and the command asks for the first 4 of them"
    ):
        compute(frames, folder, limit=4)
    assert run_files(folder) == kept


def test_what_differs_beside_the_limit_is_another_run(frames, folder):
    compute(frames, folder, limit=4)
    kept = run_files(folder)
    for change in ({"threshold": 0.4}, {"batch_size": 3}, {"prompts": ["arteries"]}):
        with pytest.raises(RefusedInput, match="holds a run of another configuration"):
            compute(frames, folder, **change)
    for others in (frames[1:], [replace(frames[0], patient="P9"), *frames[1:]]):
        with pytest.raises(RefusedInput, match="its cases, or their groups or splits, are not those"):
            compute(others, folder)
    assert run_files(folder) == kept


def test_cases_added_behind_those_of_a_whole_run_are_another_data_set(frames, folder):
    compute(frames[:4], folder)
    with pytest.raises(RefusedInput, match="its cases, or their groups or splits, are not those"):
        compute(frames, folder)


def test_a_limit_that_takes_all_is_none(frames):
    assert [own_limit(frames, limit) for limit in (None, 6, 7, 8)] == [None, 6, None, None]


def test_a_run_under_a_limit_beyond_its_data_set_becomes_a_whole_one(frames, folder):
    compute(frames, folder, limit=200)
    assert compute(frames, folder) == []
    assert open_run(folder).manifest["config"]["limit"] is None


def test_it_is_told_before_a_model_is_loaded(frames, folder):
    settings = {"threshold": 0.5, "combine": Combine.UNION, "dataset": None}
    check = partial(check_asking, folder, frames, [PROMPT], **settings)
    compute(frames, folder, limit=4)
    check(limit=None, batch_size=2, model={"name": "plain"})
    check(limit=6)
    with pytest.raises(RefusedInput, match="the command asks for the first 2"):
        check(limit=2)
    with pytest.raises(RefusedInput, match="model.name"):
        check(limit=None, model={"name": "other"})


def test_a_command_of_before_cannot_finish_a_run_that_grew_meanwhile(frames, folder, monkeypatch):
    begun = run_module.run_batches

    def meanwhile(*given, **more):
        begun(*given, **more)
        values = json.loads((folder / "run.json").read_text())
        values["config"]["limit"] = None
        values["config_sha256"] = config_sha256(values["config"])
        (folder / "run.json").write_text(json.dumps(values))

    monkeypatch.setattr(run_module, "run_batches", meanwhile)
    with pytest.raises(VesselkitError, match="another command asked for more cases meanwhile"):
        compute(frames, folder, limit=4)
    assert not is_finished(folder)


def test_a_command_of_before_takes_nothing_back_from_a_run_that_grew_before_it_computed(frames, folder, monkeypatch):
    compute(frames, folder, limit=3)
    begins = run_module.shard_lock

    @contextmanager
    def late(*given):
        monkeypatch.setattr(run_module, "shard_lock", begins)
        compute(frames, folder)
        with begins(*given):
            yield

    monkeypatch.setattr(run_module, "shard_lock", late)
    with pytest.raises(VesselkitError, match="another command asked for more cases meanwhile"):
        compute(frames, folder, limit=3)
    compute(frames, folder.with_name("whole"))
    assert results(folder) == results(folder.with_name("whole"))


def test_verdicts_and_scores_of_a_case_stay_its_own_while_the_run_grows(frames, folder):
    compute(frames, folder, limit=4)
    before = [open_run(folder).fingerprint(frame.case_id, "p1") for frame in frames[:4]]
    compute(frames, folder)
    assert [open_run(folder).fingerprint(frame.case_id, "p1") for frame in frames[:4]] == before
