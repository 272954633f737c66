"""Grids run: failures do not stop the others, what is done is skipped, an interrupt keeps what is finished."""

import json
import os
import signal
import subprocess
import sys
import time

import filelock
import psutil
import pytest

from helpers.cli.app import main
from helpers.core.errors import UsageProblem, VesselkitError
from helpers.notebook import grid as runner
from helpers.notebook.grid import Slot, choose_slots
from helpers.notebook.grid_file import read_grid
from helpers.notebook.grid_index import JobState, JobStatus, kept_state, write_index
from tests.notebook.test_execution import outputs, write_notebook
from tests.notebook.test_grid_file import write_grid_file
from tests.support.bars import recorded

pytestmark = pytest.mark.slow

INTERRUPTED = 130
PARAMETERS = 'project: str = "demo"\nword: str = ""\n'


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("VESSELKIT_ROOT", str(tmp_path))
    write_notebook(tmp_path / "nb.ipynb", "assert word != 'bad'\nprint(word)", parameters=PARAMETERS)
    return tmp_path


def start_command(grid):
    return subprocess.Popen([sys.executable, "-c", f"from helpers.cli.app import main; main(['grid', {str(grid)!r}])"])


def counts(root):
    index = root / "outputs" / "demo" / "notebooks" / "batch-trial" / "index.json"
    return json.loads(index.read_text())["counts"] if index.is_file() else {}


def wait_until(holds):
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def tree_once(process, root, done):
    """The kernel, and what it has started, once so many jobs are done and one is in its cell."""
    end = time.monotonic() + 60
    tree = []
    while time.monotonic() < end and not (counts(root).get("done") == done and counts(root)["running"] == 1 and tree):
        time.sleep(0.1)
        tree = psutil.Process(process.pid).children(recursive=True)
    time.sleep(1)
    assert tree
    return tree


def test_failures_do_not_stop_the_others_and_what_is_done_is_skipped(root):
    path = write_grid_file(root, grid={"word": ["bad", "<b>good</b>"]}, jobs=2)
    lines = []
    with recorded() as seen:
        states = runner.run_grid(read_grid(path), lines.append)
    assert seen.told[0] == ("begun", "jobs", 2, "job", 0, 0) and seen.told[-1] == ("ended", "jobs")
    assert any("job-002" in one[3] for one in seen.told if one[0] == "moved")
    assert [states[n].status for n in (1, 2)] == [JobStatus.FAILED, JobStatus.DONE]
    assert any("failed (exit code 1)" in line and "AssertionError" in line for line in lines)
    folder = root / "outputs" / "demo" / "notebooks" / "batch-trial"
    assert (folder / states[1].notebook).is_file() and (folder / states[2].notebook).is_file()
    page = (folder / "index.html").read_text()
    assert "&lt;b&gt;good" in page and "<b>good" not in page and f'href="{states[2].notebook}"' in page
    assert str(root) not in page + (folder / "index.json").read_text()

    write_grid_file(root, grid={"word": ["new", "<b>good</b>"]}, jobs=2)
    before = (folder / states[2].notebook).stat().st_mtime_ns
    again = runner.run_grid(read_grid(path))
    assert [again[n].status for n in (1, 2)] == [JobStatus.DONE, JobStatus.KEPT]
    assert (folder / states[2].notebook).stat().st_mtime_ns == before
    index = json.loads((folder / "index.json").read_text())
    assert index["counts"]["kept"] == 1 and index["jobs"][1]["seconds"] == states[2].seconds

    (folder / states[2].notebook).unlink()  # a mark without its notebook counts for nothing
    assert kept_state(folder, read_grid(path).jobs[1]) is None


def test_a_job_whose_kernel_dies_fails_alone_and_a_clock_that_is_set_back_changes_no_times(root, monkeypatch):
    source = "import os, signal\nif word == 'dies':\n    os.kill(os.getpid(), signal.SIGKILL)"
    write_notebook(root / "nb.ipynb", source, parameters=PARAMETERS)
    times = iter(range(2_000_000_000, 0, -10_000))
    monkeypatch.setattr(runner.time, "time", lambda: next(times))
    lines = []
    states = runner.run_grid(read_grid(write_grid_file(root, grid={"word": ["dies", "lives"]}, jobs=1)), lines.append)
    assert [states[n].status for n in (1, 2)] == [JobStatus.FAILED, JobStatus.DONE]
    assert any("the kernel died" in line and "the memory ran out" in line for line in lines)
    assert states[1].notebook.endswith(".failed.ipynb") and all(0 < states[n].seconds < 60 for n in (1, 2))


@pytest.mark.endurance
def test_an_interrupt_keeps_what_is_finished_and_ends_the_kernels(root):
    write_notebook(root / "nb.ipynb", "import time\ntime.sleep(0 if word == 'quick' else 300)", parameters=PARAMETERS)
    path = write_grid_file(root, grid={"word": ["quick", "slow"]}, jobs=1)
    process = start_command(path)
    tree = tree_once(process, root, done=1)
    process.send_signal(signal.SIGTERM)  # handled as an interrupt
    assert process.wait(60) == INTERRUPTED
    assert not psutil.wait_procs(tree, timeout=60)[1]
    assert (counts(root)["done"], counts(root)["stopped"]) == (1, 1)


def test_the_jobs_of_a_killed_grid_end_too_and_the_next_call_runs_what_is_left(root):
    wait = "import time\nfrom pathlib import Path\n"
    wait += f"while word == 'slow' and not Path({str(root / 'go')!r}).exists():\n    time.sleep(0.1)"
    write_notebook(root / "nb.ipynb", wait, parameters=PARAMETERS)
    path = write_grid_file(root, grid={"word": ["quick", "slow"]}, jobs=1)
    process = start_command(path)
    tree = tree_once(process, root, done=1)
    process.kill()
    process.wait(60)
    assert not psutil.wait_procs(tree, timeout=60)[1]
    (root / "go").touch()
    grid = read_grid(path)
    assert list(grid.folder.glob(".notebook-*"))  # of the job that was running
    states = runner.run_grid(grid)
    assert [states[n].status for n in (1, 2)] == [JobStatus.KEPT, JobStatus.DONE]
    assert not list(grid.folder.glob(".notebook-*"))


def test_of_five_jobs_one_that_is_killed_in_the_midst_is_done_again_alone(root):
    """The kernel of job 3 gets SIGKILL in its cell, as from a system that is out of memory, while others run."""
    number = root / "number"
    source = "import os, time\nfrom pathlib import Path\n"
    source += f"number = Path({str(number)!r})\n"
    source += "if word == 'c' and not number.exists():\n    number.write_text(str(os.getpid()))\n    time.sleep(300)\n"
    write_notebook(root / "nb.ipynb", source + "print(word * 3)", parameters=PARAMETERS)
    path = write_grid_file(root, grid={"word": list("abcde")}, jobs=2)
    process = start_command(path)
    wait_until(lambda: number.is_file() and number.read_text() and counts(root)["done"] >= 3)
    os.kill(int(number.read_text()), signal.SIGKILL)
    assert process.wait(120) == 1
    assert (counts(root)["done"], counts(root)["failed"]) == (4, 1)
    folder = read_grid(path).folder
    first = json.loads((folder / "index.json").read_text())["jobs"]
    assert [row["status"] for row in first] == ["done"] * 2 + ["failed"] + ["done"] * 2
    assert first[2]["notebook"].endswith(".failed.ipynb") and first[2]["exit_code"] == 1

    with pytest.raises(SystemExit) as ended:
        main(["grid", str(path)])
    assert not ended.value.code
    second = json.loads((folder / "index.json").read_text())["jobs"]
    assert [row["status"] for row in second] == ["kept"] * 2 + ["done"] + ["kept"] * 2
    assert [row["seconds"] for row in second if row["status"] == "kept"] == [
        row["seconds"] for row in first if row["status"] == "done"
    ]
    assert [row["varied"]["word"] for row in second] == list("abcde")
    texts = [outputs(folder / row["notebook"]) for row in second]
    assert texts == [f"{word * 3}\n" for word in "abcde"]
    assert not list(folder.glob("*.failed.ipynb"))  # it would contradict the notebook that is done
    page = (folder / "index.html").read_text()
    assert "1 done, 4 kept" in page and all(row["notebook"] in page for row in second)


def test_the_index_shows_no_folder_and_no_name_that_is_not_plain(root):
    (root / "DOE JOHN").mkdir()
    grid = {"word": [str(root / "a" / "plain-set"), str(root / "DOE JOHN"), "<i>", "x" * 5000]}
    grid = read_grid(write_grid_file(root, grid=grid))
    write_index(grid, {job.number: JobState() for job in grid.jobs})
    text = (grid.folder / "index.html").read_text() + (grid.folder / "index.json").read_text()
    assert "DOE" not in text and str(root) not in text and "&lt;i&gt;" in text
    assert ">plain-set<" in text and ">word 2<" in text


def test_one_process_at_a_time(root):
    grid = read_grid(write_grid_file(root))
    with filelock.FileLock(grid.folder / ".lock"), pytest.raises(VesselkitError, match="another process"):
        runner.run_grid(grid)


def test_slots(root, monkeypatch):
    grid = read_grid(write_grid_file(root, grid={"word": list("abcdef")}, memory_gb=4))
    monkeypatch.setattr(runner.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    memory = type("Memory", (), {"available": 13_000_000_000})
    monkeypatch.setattr(runner.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(runner, "_visible_gpus", list)
    assert choose_slots(grid) == [Slot(None, 2)] * 3  # 13 GB hold three jobs of 4 GB
    memory.available = 1_000_000_000
    assert choose_slots(grid) == [Slot(None, 8)]
    monkeypatch.setattr(runner, "_visible_gpus", lambda: ["3", "5"])
    assert choose_slots(grid) == [Slot("3"), Slot("5")]
    assert choose_slots(read_grid(write_grid_file(root, jobs=1))) == [Slot("3")]


def test_a_gpu_of_its_own_choice_is_refused(root, monkeypatch):
    monkeypatch.setattr(runner, "_visible_gpus", lambda: ["0"])
    write_notebook(root / "nb.ipynb", parameters='project: str = "demo"\ndevice: str = "auto"\n')
    grid = read_grid(write_grid_file(root, parameters={"device": "cuda:1"}))
    with pytest.raises(UsageProblem, match="every job sees one GPU only"):
        choose_slots(grid)
    cpu = read_grid(write_grid_file(root, parameters={"device": "cpu"}, jobs=1))
    assert choose_slots(cpu)[0].gpu is None


def test_a_job_sees_its_gpu_only(root, monkeypatch):
    check = "import os; assert os.environ['CUDA_VISIBLE_DEVICES'] == '7'"
    write_notebook(root / "nb.ipynb", check, parameters=PARAMETERS)
    monkeypatch.setattr(runner, "choose_slots", lambda _: [Slot("7")])
    assert runner.run_grid(read_grid(write_grid_file(root)))[1].status is JobStatus.DONE
