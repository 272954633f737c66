"""A grid as a SLURM array, against stand-ins for sbatch, srun and squeue that run the tasks on this machine."""

import json
import os
import stat
import sys
import time

import pytest

from helpers.cli.app import main
from helpers.core.errors import UsageProblem, VesselkitError
from helpers.notebook import grid_array
from helpers.notebook.grid_array import submit_array
from helpers.notebook.grid_file import read_grid
from helpers.notebook.grid_index import JobStatus
from tests.notebook.test_execution import write_notebook
from tests.notebook.test_grid_file import write_grid_file

PARAMETERS = 'project: str = "demo"\ndevice: str = "auto"\nword: str = ""\n'

# Keeps the script, starts every task of the array in the background, and answers as SLURM does.
SBATCH = """\
import os, re, subprocess, sys
from pathlib import Path
here, script = Path(__file__).parent, Path(sys.argv[-1])
if (here / "refuses").exists():
    sys.exit("sbatch: error: invalid partition specified: nowhere")
text = script.read_text()
with (here / "submitted").open("a") as file:
    file.write(text + "\\0")
number = 70 + len(list(here.glob("array-*")))
(here / f"array-{number}").touch()
found = re.search(r"--array=0-([0-9]+)", text)
for task in range(int(found[1]) + 1 if found else 1):
    name = {"SLURM_ARRAY_JOB_ID": str(number), "SLURM_ARRAY_TASK_ID": str(task)} if found else {}
    environment = {**os.environ, **name, "SLURM_JOB_ID": str(number), "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
    environment |= {"SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_JOB_NUM_NODES": "1"}
    subprocess.Popen(["bash", str(script)], env=environment, start_new_session=True, stdout=-3, stderr=-3)
print(f"Submitted grid job {number}")
"""
SRUN = """\
import os, sys
words = sys.argv[1:]
while words[0].startswith("--"):
    words = words[2:] if words[0] in ("--output", "--error") else words[1:]
os.execvp(words[0], words)
"""
SQUEUE = """\
import sys
from pathlib import Path
file = Path(__file__).with_name("queue")
sys.exit("squeue: error: Unable to contact slurm controller") if not file.exists() else print(file.read_text())
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("VESSELKIT_ROOT", str(tmp_path))
    source = "import os\nassert word != 'bad'\nprint(word, os.environ['SLURM_JOB_ID'])"
    write_notebook(tmp_path / "nb.ipynb", source, parameters=PARAMETERS)
    return tmp_path


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """The folder of the stand-ins: `submitted` has the scripts, `queue` is what squeue prints, `refuses` a fault."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("squeue", SQUEUE)):
        (folder / name).write_text(f"#!{sys.executable}\n{text}")
        (folder / name).chmod(stat.S_IRWXU)
    (folder / "queue").write_text("")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def index_of(grid):
    return json.loads((grid.folder / "index.json").read_text())


def once(reached, seconds=120):
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.2)


def ended(grid, *jobs):
    """Whether the index shows that these jobs are done or failed."""
    states = {row["job"]: row["status"] for row in index_of(grid)["jobs"]}
    return all(states[grid.jobs[number].name] in ("kept", "failed") for number in jobs)


@pytest.mark.slow
def test_a_grid_becomes_one_array_whose_tasks_leave_notebooks_and_marks(root, cluster):
    slurm = {"partition": "gpu", "time": 90}
    path = write_grid_file(root, grid={"word": ["good", "bad", "late"]}, memory_gb=12.5, jobs=2, slurm=slurm)
    grid, lines = read_grid(path), []
    states = submit_array(grid, lines.append)
    assert {state.status for state in states.values()} == {JobStatus.WAITING}
    assert lines[0] == "submitted 3 jobs as SLURM array 70"
    (script,) = (cluster / "submitted").read_text().split("\0")[:-1]
    options = dict(line[len("#SBATCH --") :].split("=", 1) for line in script.splitlines() if "#SBATCH --" in line)
    wanted = {"array": "0-2%2", "partition": "gpu", "time": "90", "mem": "12500MB", "gpus-per-node": "1"}
    assert wanted.items() <= options.items() and options["job-name"] == "batch-trial"
    once(lambda: ended(grid, 0, 1, 2))
    assert index_of(grid)["counts"] == {
        "waiting": 0, "running": 0, "done": 0, "kept": 2, "failed": 1, "stopped": 0
    }  # fmt: skip
    first = grid.folder / f"{grid.jobs[0].name}.ipynb"
    assert "good 70" in first.read_text() and (grid.folder / f"{grid.jobs[1].name}.failed.ipynb").is_file()
    assert str(root) not in (grid.folder / "index.html").read_text()

    # One is in the queue still, one failed, one is done: only what failed is submitted again.
    first.with_suffix(".json").unlink()
    (cluster / "queue").write_text("70_0\n99_1")
    again = submit_array(read_grid(path), lines.append)
    assert [again[number].status for number in (1, 2, 3)] == [JobStatus.WAITING, JobStatus.WAITING, JobStatus.KEPT]
    assert lines[2:] == [
        "submitted 1 job as SLURM array 71",
        "1 job done, 1 in the queue already; the same command looks again",
    ]
    assert "--array" not in (cluster / "submitted").read_text().split("\0")[1]
    once(lambda: ended(grid, 1))


def test_where_slurm_does_not_answer_nothing_is_submitted_twice(root, cluster, monkeypatch, capsys):
    monkeypatch.setattr(grid_array, "run_task", print)
    path = write_grid_file(root, grid={"word": ["a", "b"]})
    submit_array(read_grid(path))
    (cluster / "queue").unlink()
    with pytest.raises(SystemExit) as ended_with:
        main(["grid", str(path), "--launcher", "slurm"])
    assert ended_with.value.code == 1 and "must not be submitted twice" in capsys.readouterr().err
    with pytest.raises(VesselkitError, match=r"`squeue` failed .* must not be submitted twice"):
        submit_array(read_grid(path))
    assert (cluster / "submitted").read_text().count("\0") == 1


def test_an_array_that_slurm_refuses_leaves_no_record(root, cluster):
    (cluster / "refuses").touch()
    grid = read_grid(write_grid_file(root, grid={"word": ["a", "b"]}))
    with pytest.raises(VesselkitError, match="SLURM did not take the array: .*invalid partition"):
        submit_array(grid)
    assert not (grid.folder / ".slurm.json").exists()


def test_options_that_submitit_does_not_know_are_refused(root, cluster):
    grid = read_grid(write_grid_file(root, slurm={"partitions": "gpu"}))
    with pytest.raises(UsageProblem, match=r"slurm: Unavailable parameter\(s\): \['partitions'\]"):
        submit_array(grid)
    assert not (cluster / "submitted").exists()


def test_jobs_on_the_processor_ask_for_no_gpu_and_no_job_names_one(root, cluster, monkeypatch):
    monkeypatch.setattr(grid_array, "run_task", print)
    submit_array(read_grid(write_grid_file(root, parameters={"device": "cpu"}, grid={"word": ["a", "b"]})))
    assert "--gpus-per-node" not in (cluster / "submitted").read_text()
    with pytest.raises(UsageProblem, match="every job sees one GPU only"):
        submit_array(read_grid(write_grid_file(root, parameters={"device": "cuda:1"}, name="other")))


def test_what_is_missing_is_named(root, monkeypatch):
    grid = read_grid(write_grid_file(root))
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UsageProblem, match=r"expected the package submitit.*vesselkit\[grid\]"):
        submit_array(grid)


def test_a_cluster_is_needed(root, cluster, monkeypatch):
    monkeypatch.setenv("PATH", str(root))
    with pytest.raises(UsageProblem, match="expected SLURM's commands"):
        submit_array(read_grid(write_grid_file(root)))
