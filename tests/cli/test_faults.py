"""Faults of disk and memory, signals and odd names, through the commands: nothing is lost, and what to do is said."""

import errno
import importlib
import json
import os
import resource
import signal
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from helpers.review.verdicts import Verdict
from helpers.runs.run_folder import open_run
from tests.review.test_verdicts import record
from tests.support.tiny_sources import fixture_sources
from tests.support.vessel_runs import SIDE, write_data, write_run

# A folder that root cannot write to either.
READ_ONLY = Path("/proc")
ODD = "Gefäße 血管 {x} 'y' & z"


@dataclass(frozen=True)
class Stage:
    """A command that writes one result.

    Attributes:
        arguments: without `--output`.
        output: name of the result.
        inside: module and function that is called in the midst of the work.
    """

    arguments: tuple[str, ...]
    output: str
    inside: tuple[str, str]
    option: str = "--output"


def made(folder):
    """Data and a run of them, with verdicts."""
    data = write_data(folder / "data set")
    run = write_run(folder / "run 1", {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases})
    digest = json.loads((run / "manifest.json").read_text())["files"]["predictions.parquet"]
    rejected = record(1, data.cases[0].case_id, Verdict.REJECT)
    (folder / "verdicts").mkdir()
    line = json.dumps({**rejected.to_json(), "run": digest})
    (folder / "verdicts" / "ann.jsonl").write_text(f"{line}\n")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return made(tmp_path_factory.mktemp("faults"))


def stage(name, place):
    sources, data, run = fixture_sources(), str(place / "data set"), str(place / "run 1")
    evaluated = ("evaluate", "--predictions", run, "--data", data, "--processes", "1")
    return {
        "convert": Stage(
            ("convert", "--checkpoint", str(sources.checkpoint), "--base", str(sources.base), "--sam2",
             str(sources.sam2), "--sam2-config", str(sources.sizes), "--dtype", "float32"),
            "model", ("helpers.checkpoints.convert.export", "write_shard"),
        ),
        "predict": Stage(
            ("predict", "--model", "frangi", "--data", data),
            "run",
            ("helpers.prediction.engine.case_writer", "result_of"),
        ),
        "evaluate": Stage(evaluated, "scores", ("helpers.evaluation.evaluate", "score_sequences")),
        "review-page": Stage(
            ("review-page", run, "--data", data), "review.html", ("helpers.review.page", "viewer_style")
        ),
        "visualize": Stage(("visualize", run, "--data", data), "pictures", ("helpers.review.pictures", "save_panel")),
        "review": Stage(
            ("review", run, "--data", data, "--verdicts", str(place / "verdicts")), "export",
            ("helpers.review.verdict_export", "verdict_table"), "--export",
        ),
    }[name]  # fmt: skip


WHOLE_RESULTS = ("convert", "evaluate", "review-page", "visualize", "review")
REPLACED = ("evaluate", "review-page")  # an earlier result of that name is


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def patched(monkeypatch, where, act):
    """Call `act` before a function that a command calls."""
    module, name = importlib.import_module(where[0]), where[1]
    real = getattr(module, name)

    def before(*arguments, **options):
        act()
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, before)


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.skipif(not READ_ONLY.is_dir(), reason="no /proc, which nobody can write to")
@pytest.mark.parametrize("name", [*WHOLE_RESULTS, "predict"])
def test_a_read_only_place_is_refused_before_the_work(call, place, monkeypatch, name):
    one = stage(name, place)
    patched(monkeypatch, one.inside, raising(AssertionError("the work began")))
    ended = call(*one.arguments, one.option, str(READ_ONLY / one.output))
    assert ended.code == 3 and "Error: /proc" in ended.err and "Traceback" not in ended.err
    assert "cannot be" in ended.err and "ame another" in ended.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        *((name, errno.ENOSPC, "the disk became full") for name in WHOLE_RESULTS),
        ("evaluate", errno.EFBIG, "the disk became full"),
        ("evaluate", errno.EIO, "the disk or network drive failed (Input/output error)"),
    ],
)
def test_a_disk_that_fails_is_told_and_leaves_nothing(call, place, monkeypatch, tmp_path, name, number, said):
    one = stage(name, place)

    def fail(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    ended = call(*one.arguments, one.option, one.output)
    assert ended.code in {1, 3} and said in ended.err and "again" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WHOLE_RESULTS)
def test_want_of_memory_is_told_and_leaves_nothing(call, place, monkeypatch, tmp_path, name):
    one = stage(name, place)
    patched(monkeypatch, one.inside, raising(MemoryError()))
    ended = call(*one.arguments, one.option, one.output)
    assert ended.code == 1 and "the memory ran out" in ended.err and "again" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WHOLE_RESULTS)
def test_a_scheduler_stops_a_command_which_leaves_nothing(call, place, monkeypatch, tmp_path, name):
    one = stage(name, place)
    patched(monkeypatch, one.inside, lambda: os.kill(os.getpid(), signal.SIGTERM))
    ended = call(*one.arguments, one.option, one.output)
    assert ended.code == 130 and "stopped; give the same command again" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", REPLACED)
@pytest.mark.parametrize("fault", ["disk", "memory", "signal"])
def test_an_earlier_result_outlives_a_fault(call, place, monkeypatch, tmp_path, name, fault):
    one = stage(name, place)
    assert call(*one.arguments, one.option, one.output).code == 0
    before = content(tmp_path)
    act = {
        "disk": raising(OSError(errno.ENOSPC, "full")),
        "memory": raising(MemoryError()),
        "signal": lambda: os.kill(os.getpid(), signal.SIGTERM),
    }[fault]
    patched(monkeypatch, one.inside, act)
    assert call(*one.arguments, one.option, one.output).code in {1, 130}
    assert content(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "said", "exit_code"),
    [
        (OSError(errno.ENOSPC, "full"), "the disk became full; the cases written before are kept. Free some space", 1),
        (OSError(errno.EFBIG, "no"), "the disk became full; the cases written before are kept. Free some space, or", 1),
        (OSError(errno.EIO, "no"), "the disk or network drive failed (no); the cases written before are kept", 1),
        (None, "repeat the command to resume", 130),
    ],
)
def test_a_prediction_goes_on_after_a_fault(call, place, monkeypatch, tmp_path, error, said, exit_code):
    one, calls = stage("predict", place), []

    def act():
        calls.append(1)
        if len(calls) == 3 and error is not None:
            raise error

    with monkeypatch.context() as patch:
        patched(patch, one.inside, act)
        if error is None:
            asked = ("helpers.prediction.engine.batch_pipeline", "predict_batch")
            patched(patch, asked, lambda: os.kill(os.getpid(), signal.SIGTERM))
        ended = call(*one.arguments, one.option, one.output)
    assert ended.code == exit_code and said in ended.err
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "run/parts").iterdir()}
    assert kept and not (tmp_path / "run/manifest.json").exists()
    assert call(*one.arguments, one.option, one.output).code == 0
    assert len(open_run(tmp_path / "run").cases()) == 12
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WHOLE_RESULTS, "predict"])
def test_a_clock_that_is_set_back_changes_nothing(call, place, monkeypatch, tmp_path, name):
    one = stage(name, place)
    seconds = count(4e9, -3600)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: next(seconds))
        ended = call(*one.arguments, one.option, one.output)
    assert ended.code == 0, ended.err
    assert [path.name for path in tmp_path.iterdir()] == [one.output]


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("evaluate", ("helpers.evaluation.evaluate", "scorable")),
        ("review-page", ("helpers.review.review_source", "open_source")),
        ("visualize", ("helpers.review.review_source", "open_source")),
        ("review", ("helpers.review.review_source", "open_source")),
    ],
)
def test_data_that_go_away_while_a_command_works_are_told_and_cost_no_earlier_result(
    call, tmp_path, monkeypatch, name, inside
):
    place, here = made(tmp_path / "place"), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    one = stage(name, place)
    assert name not in REPLACED or call(*one.arguments, one.option, one.output).code == 0
    before = content(here)
    patched(monkeypatch, inside, lambda: (place / "data set").rename(tmp_path / "away"))
    ended = call(*one.arguments, one.option, one.output)
    assert ended.code == 3 and "P01_S01_001" in ended.err
    assert "Copy it again" in ended.err or "Check that the data set is there" in ended.err
    assert content(here) == before


TABLE, LOGITS, MASKS = "predictions.parquet", "logits/*/p1.npz", "masks/*/p1.png"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        *((name, TABLE) for name in ("evaluate", "review-page", "visualize", "review")),
        *((name, LOGITS) for name in ("evaluate", "review-page", "visualize")),
        ("evaluate", MASKS),
    ],
)
def test_a_damaged_run_is_refused_with_the_file_and_leaves_nothing(call, tmp_path, monkeypatch, name, file):
    place, here = made(tmp_path / "place"), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    damaged = sorted((place / "run 1").glob(file))[0]
    os.truncate(damaged, 40)
    one = stage(name, place)
    ended = call(*one.arguments, one.option, one.output)
    assert ended.code == 3 and f"Error: {damaged}" in ended.err and "redict" in ended.err
    assert list(here.iterdir()) == []


@pytest.fixture(scope="module")
def odd_place(tmp_path_factory):
    return made(tmp_path_factory.mktemp("faults") / ODD)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WHOLE_RESULTS, "predict"])
def test_names_with_spaces_marks_and_other_scripts_are_taken(call, odd_place, tmp_path, name):
    one = stage(name, odd_place)
    output = tmp_path / ODD / one.output
    output.parent.mkdir()
    ended = call(*one.arguments, one.option, str(output))
    assert ended.code == 0, ended.err
    assert output.exists() and [path.name for path in output.parent.iterdir()] == [one.output]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of the size of files")
@pytest.mark.parametrize("name", ["predict", "evaluate", "review-page", "visualize", "review"])
def test_a_file_that_may_not_become_that_large_is_told_as_a_full_disk(call, place, tmp_path, name):
    """The real limit, as a quota of some servers sets it, rather than an error that a test made up."""
    one, before = stage(name, place), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        ended = call(*one.arguments, one.option, one.output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ended.code in {1, 3} and "the disk became full" in ended.err and "Free some space, or have" in ended.err
    assert "Traceback" not in ended.err and call(*one.arguments, one.option, one.output).code == 0
