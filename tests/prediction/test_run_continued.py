"""A run that was stopped goes on; another one in its folder is refused."""

import errno
import os
import signal
from dataclasses import replace

import pytest

from helpers.core.errors import RefusedInput, Stopped, VesselkitError
from helpers.core.vocabulary import Combine
from helpers.prediction import run as run_module
from helpers.prediction.run import (
    check_output,
    known_values,
)
from helpers.runs import finishing
from helpers.runs.durable import write_durable
from tests.support.plain_predictor import PROMPT, PlainPredictor, compute
from tests.support.run_files import run_files


def test_an_interrupt_says_how_many_are_done(frames, tmp_path):
    with pytest.raises(Stopped, match="stopped with 4 of 7 cases done"):
        compute(frames, tmp_path / "stopped", interrupted_after(1))


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
    with pytest.raises(Stopped, match="stopped with 4 of 7 cases done; repeat the command to resume") as stopped:
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
