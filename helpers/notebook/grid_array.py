"""A grid as one SLURM job array, through submitit: every job is a task of its own on some node of the cluster.

A task runs the notebook as a job on this machine does, and leaves the same files. These files and `squeue` say what is
done, failed or still in the queue, so that the same command submits only what is neither done nor queued.
"""

import contextlib
import logging
import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from helpers.core import paths
from helpers.core.documents import document, read_document, refuse_damaged
from helpers.core.errors import UsageProblem, VesselkitError, explain_os_errors
from helpers.core.processes import only_process
from helpers.core.shown_text import counted
from helpers.notebook.execution import execute_notebook
from helpers.notebook.grid import own_gpus
from helpers.notebook.grid_file import Grid, Job
from helpers.notebook.grid_index import JobState, JobStatus, kept_state, write_index, write_mark
from helpers.runs.durable import json_bytes, write_durable

_log = logging.getLogger(__name__)

_RECORD = ".slurm.json"  # in the grid's folder: which job of the grid is which task
_SCHEMA, _VERSION = "vesselkit.grid-array", 1
_LOGS = "slurm"  # folder of submitit's scripts and of the tasks' output
_DEFAULTS = {"time": 24 * 60, "cpus_per_task": 4}  # minutes; cores
_ADVICE = "Remove the file once none of its tasks is in the queue"


@dataclass(frozen=True)
class ArrayTask:
    """What a task is given: the whole grid, for its index, and the one job that is the task's own."""

    grid: Grid
    job: Job
    root: Path


def submit_array(grid: Grid, told: Callable[[str], None] | None = None) -> dict[int, JobState]:
    """Submit the jobs that are neither done nor in the queue as one array; the state of every job by its number.

    It returns once `sbatch` took them. A job in the queue counts as waiting, also while its task runs. Each task has
    `memory_gb` of the file, one GPU unless every job has `device: cpu`, 4 cores and a day, unless the file's entry
    `slurm` says otherwise; `jobs` limits how many run at a time.

    Args:
        told: gets one line for what was submitted, what is queued, and what is done.
    Raises:
        UsageProblem: where submitit or SLURM's commands are missing, or an entry of `slurm` is unknown to submitit.
        VesselkitError: where another process runs or submits this grid, or SLURM does not answer or take the array.
    """
    told = told or _log.info
    submitit = _submitit()
    with only_process(grid.folder, "runs or submits this grid"):
        queued = _queued(grid.folder)
        states = _states(grid)
        done = {number for number, state in states.items() if state.status is JobStatus.KEPT}
        fresh = [job for job in grid.jobs if job.number not in done and job.key not in queued]
        states |= {job.number: JobState() for job in grid.jobs if job.number not in done}
        if fresh:
            executor = submitit.SlurmExecutor(folder=grid.folder / _LOGS)
            try:
                executor.update_parameters(**_parameters(grid))
                with _sbatch_errors(submitit), executor.batch():
                    tasks = [executor.submit(run_task, ArrayTask(grid, job, paths.project_root())) for job in fresh]
            except ValueError as error:
                raise UsageProblem(f"slurm: {error}") from error
            _record(grid.folder, {**queued, **{job.key: task.job_id for job, task in zip(fresh, tasks, strict=True)}})
            told(f"submitted {counted(len(fresh), 'job')} as SLURM array {tasks[0].job_id.partition('_')[0]}")
        waiting = len(grid.jobs) - len(done) - len(fresh)
        told(f"{counted(len(done), 'job')} done, {waiting} in the queue already; the same command looks again")
        write_index(grid, states)
    return states


def run_task(task: ArrayTask) -> None:
    """Run one job on a node, then write its mark and the index of the whole grid.

    Raises:
        VesselkitError: as `execute_notebook`; the task then fails for SLURM too, and its log has the text.
    """
    os.environ[paths.ROOT_VARIABLE] = str(task.root)
    output = task.grid.folder / f"{task.job.name}.ipynb"
    since, clock = time.time(), time.monotonic()
    try:
        with explain_os_errors():
            execute_notebook(task.grid.settings.notebook, output, task.job.parameters, task.grid.settings.timeout_s)
        write_mark(task.job, output, since, round(time.monotonic() - clock, 1))
    finally:
        # The tasks of other nodes write it too: the last one has the marks of all.
        with FileLock(task.grid.folder / ".index.lock"):
            write_index(task.grid, _states(task.grid))


def _states(grid: Grid) -> dict[int, JobState]:
    """The jobs as their files in the grid's folder show them: kept, failed, or waiting."""
    states = {}
    for job in grid.jobs:
        failed = grid.folder / f"{job.name}.failed.ipynb"
        otherwise = JobState(JobStatus.FAILED, failed.name) if failed.is_file() else JobState()
        states[job.number] = kept_state(grid.folder, job) or otherwise
    return states


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise UsageProblem(
            "launcher slurm: expected the package submitit, found none. Install it with `pip install 'vesselkit[grid]'`"
        ) from error
    if submitit.SlurmExecutor.affinity() < 0:
        raise UsageProblem(
            "launcher slurm: expected SLURM's commands (srun, sbatch), found none. Log in to the cluster"
        )
    return submitit


def _parameters(grid: Grid) -> dict[str, Any]:
    """Options of sbatch: what the file says, over what follows from its other entries, over the defaults."""
    settings = grid.settings
    options: dict[str, Any] = {"job_name": grid.folder.name, "mem": f"{max(1, round(settings.memory_gb * 1000))}MB"}
    if own_gpus(grid):
        options["gpus_per_node"] = 1
    if settings.jobs is not None:
        options["array_parallelism"] = settings.jobs
    return {**_DEFAULTS, **options, **settings.slurm}


@contextlib.contextmanager
def _sbatch_errors(submitit: Any) -> Iterator[None]:
    """Raise VesselkitError where `sbatch` refuses the array."""
    try:
        yield
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        raise VesselkitError(f"SLURM did not take the array: {error}. Correct the entry `slurm` of the file") from error


def _record(folder: Path, tasks: Mapping[str, str]) -> None:
    write_durable(folder / _RECORD, json_bytes(document(_SCHEMA, _VERSION, {"tasks": dict(tasks)})))


def _queued(folder: Path) -> dict[str, str]:
    """Key of a job -> its SLURM task, of those that an earlier call submitted and that wait or run."""
    path = folder / _RECORD
    if not path.is_file():
        return {}
    content = read_document(path, _SCHEMA, _VERSION, ("tasks",), _ADVICE)
    with refuse_damaged(path, _SCHEMA, _VERSION, _ADVICE):
        tasks = {str(key): str(task) for key, task in content["tasks"].items()}
    there = _in_queue({task.partition("_")[0] for task in tasks.values()})
    return {key: task for key, task in tasks.items() if task in there}


def _in_queue(arrays: Collection[str]) -> frozenset[str]:
    """The tasks of this user that wait or run, of some arrays, each as `ARRAY_TASK`."""
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise VesselkitError(
            f"expected SLURM to say which of the grid's tasks are in the queue, and `squeue` failed ({error}). "
            "Try again when it answers: a job that runs already must not be submitted twice"
        ) from error
    return frozenset(task for task in answer.stdout.split() if task.partition("_")[0] in arrays)
