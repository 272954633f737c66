"""Writing in processes of their own: the same bytes, the same errors, and no process that outlives the run."""

import errno
import os
import signal
import subprocess
import sys

import psutil
import pytest

from helpers.errors import VesselkitError
from helpers.inference import run as run_module
from helpers.inference.assembly import Thresholding
from helpers.inference.committing import Commit
from helpers.inference.pipeline import run_batches
from helpers.inference.run import predict, writer_processes
from helpers.inference.shards import fixed_batches
from helpers.inference.writing import WriterProcess
from helpers.runs.masks import Combine
from helpers.runs.reading import open_run
from tests.inference.frames import draw_frames
from tests.inference.plain_predictor import PROMPT, PlainPredictor

UNTIMED = ("timings", "timings.parquet", "sources", "locks", "manifest.json")


def writers():
    return [child for child in psutil.Process().children() if "helpers.inference.writing" in child.cmdline()]


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder): path.read_bytes() for path in files}
    return {str(name): content for name, content in found.items() if name.parts[0] not in UNTIMED}


def no_space(outcome):
    """What writes in the other process of a test: it cannot."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_processes_write_the_bytes_of_threads_and_end_with_the_run(tmp_path, monkeypatch):
    frames = draw_frames(tmp_path, [1, 2, 255, 4, 5])
    predict(frames, PlainPredictor(), tmp_path / "threads", [PROMPT], batch_size=2)
    monkeypatch.setattr(run_module, "writer_processes", lambda device: 2)
    predict(frames, PlainPredictor(), tmp_path / "processes", [PROMPT], batch_size=2)
    expected = contents(tmp_path / "threads")
    assert "masks/c01/p1.png" in expected and contents(tmp_path / "processes") == expected
    assert len(open_run(tmp_path / "processes").rows) == 5 and not writers()


def test_a_case_that_is_there_is_not_written_again(tmp_path):
    frames, written = draw_frames(tmp_path, [1, 2]), []
    commit = Commit(tmp_path / "run", "0" * 64, {"p1": PROMPT}, Thresholding(0.5, Combine.UNION), frozenset({"c02"}))
    run_batches(fixed_batches(frames, 1), PlainPredictor(), [PROMPT], commit, written=written.append, processes=1)
    assert sorted(written) == [0, 1] and os.listdir(tmp_path / "run/parts") == ["c02.json"]


def test_a_full_disk_is_told_of_as_from_threads(tmp_path):
    batches = fixed_batches(draw_frames(tmp_path, [1, 2]), 1)
    with pytest.raises(VesselkitError, match="the disk became full; the cases written before are kept"):
        run_batches(batches, PlainPredictor(), [PROMPT], no_space, processes=1)
    assert not writers()


def test_a_process_that_was_ended_is_told_of():
    process = WriterProcess(os.strerror)
    assert process(errno.ENOSPC) == os.strerror(errno.ENOSPC)
    writers()[0].send_signal(signal.SIGINT)  # meant for the one that predicts
    assert process(errno.EACCES) == os.strerror(errno.EACCES)
    writers()[0].kill()
    with pytest.raises(VesselkitError, match=r"ended before its time \(code -9\); the cases written before are kept"):
        process(errno.EIO)
    process.close()


def test_it_ends_where_the_one_that_predicts_is_killed():
    code = (
        "import os, time; from helpers.inference.writing import WriterProcess\n"
        "process = WriterProcess(os.strerror); process(1); print('ready', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "ready\n"
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert psutil.wait_procs([child], timeout=10)[1] == []


@pytest.mark.parametrize(
    "processors, processes, expected", [(2, "", 0), (4, "", 1), (16, "", 4), (16, "2", 2), (64, "", 8)]
)
def test_processes_follow_the_processors(monkeypatch, processors, processes, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)), raising=False)
    assert writer_processes("cuda:0", {"LOCAL_WORLD_SIZE": processes}) == expected
    assert writer_processes("cpu", {}) == 0
