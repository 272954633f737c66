"""Run the jobs of a grid: one for each GPU, or as many as the memory allows; skip what is done; go on past failures.

A job is a thread that waits for a kernel, which is a process of its own: a job that dies takes no other with it, and
its memory is given back.
"""

import logging
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from helpers.core import paths
from helpers.core.errors import UsageProblem, VesselkitError, explain_os_errors
from helpers.core.processes import only_process
from helpers.core.progress import Bar, shown_on
from helpers.notebook.execution import execute_notebook
from helpers.notebook.grid_file import Grid, Job
from helpers.notebook.grid_index import JobState, JobStatus, kept_state, write_index, write_mark
from helpers.notebook.watching import JobBars

_log = logging.getLogger(__name__)

_POLL_S = 0.1
_ASIDE = ".notebook-*"  # folders of notebooks that were running when the process of the grid was killed
_MARK = "VESSELKIT_GRID"  # in the environment of the kernels: the folder of their grid


@dataclass(frozen=True)
class Slot:
    """A place where one job at a time runs. `gpu` None: on CPU, with `threads` threads."""

    gpu: str | None
    threads: int | None = None


@dataclass(frozen=True)
class _Running:
    job: Job
    slot: Slot
    future: Future[None]
    since: float  # seconds since 1970, to be shown
    clock: float  # of a clock that nobody sets


def run_grid(grid: Grid, told: Callable[[str], None] | None = None) -> dict[int, JobState]:
    """Run what is not done yet; the state of every job by its number. The index is up to date after every change.

    An interrupt stops the jobs that run, keeps what is finished, and goes on to the caller.

    Args:
        told: gets one line for each job that ends.
    Raises:
        UsageProblem: a job wants a GPU of its own choice where each sees one only.
        VesselkitError: another process runs this grid.
    """
    slots = choose_slots(grid)
    with only_process(grid.folder, "runs this grid"):
        return _run_locked(grid, slots, told or _log.info)


def _run_locked(grid: Grid, slots: list[Slot], told: Callable[[str], None]) -> dict[int, JobState]:
    for left in grid.folder.glob(_ASIDE):
        shutil.rmtree(left)
    states = {job.number: kept_state(grid.folder, job) or JobState() for job in grid.jobs}
    waiting = [job for job in grid.jobs if states[job.number].status is JobStatus.WAITING]
    free, running = list(slots), list[_Running]()
    write_index(grid, states)
    bar = Bar("jobs", len(grid.jobs), unit="job", initial=len(grid.jobs) - len(waiting), even=False)
    bar.begin()
    shown = JobBars()
    with shown_on(shown), ThreadPoolExecutor(len(slots)) as pool:
        try:
            while waiting or running:
                while waiting and free:
                    job, slot = waiting.pop(0), free.pop(0)
                    future = pool.submit(_run_job, grid, job, slot, shown)
                    running.append(_Running(job, slot, future, time.time(), time.monotonic()))
                    states[job.number] = JobState(JobStatus.RUNNING, started=running[-1].since)
                    write_index(grid, states)
                ended, _ = wait([one.future for one in running], _POLL_S, FIRST_COMPLETED)
                for one in [one for one in running if one.future in ended]:
                    running.remove(one)
                    free.append(one.slot)
                    states[one.job.number] = _ended(grid, one, told)
                    write_index(grid, states)
                    bar.update()
                bar.tell("; ".join(filter(None, (shown.line(one.job.name) for one in running))))
        finally:
            bar.end()
            if running:  # only after an interrupt or an error
                _end_kernels(grid.folder, [one.future for one in running])
                for one in running:
                    state = _ended(grid, one, _log.info)
                    stopped = state.status is JobStatus.FAILED
                    states[one.job.number] = replace(state, status=JobStatus.STOPPED) if stopped else state
                write_index(grid, states)
    return states


def _run_job(grid: Grid, job: Job, slot: Slot, shown: JobBars) -> None:
    """Run the notebook of one job; raises what `execute_notebook` raises."""
    shown.start(job.name)
    environment = {_MARK: str(grid.folder), paths.ROOT_VARIABLE: str(paths.project_root())}
    if slot.gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = slot.gpu
    if slot.threads is not None and "OMP_NUM_THREADS" not in os.environ:
        environment["OMP_NUM_THREADS"] = str(slot.threads)
    output = grid.folder / f"{job.name}.ipynb"
    with explain_os_errors():
        execute_notebook(grid.settings.notebook, output, job.parameters, grid.settings.timeout_s, environment)


def _ended(grid: Grid, one: _Running, told: Callable[[str], None]) -> JobState:
    """The state of a job that has ended; the mark of a finished one is written here."""
    seconds = round(time.monotonic() - one.clock, 1)
    output = grid.folder / f"{one.job.name}.ipynb"
    error = one.future.exception()
    if error is None:
        write_mark(one.job, output, one.since, seconds)
        told(f"{one.job.name}: done in {seconds} s")
        return JobState(JobStatus.DONE, output.name, one.since, seconds, 0)
    if isinstance(error, VesselkitError):
        code, words = error.exit_code, str(error)
    else:
        code, words = VesselkitError.exit_code, "".join(traceback.format_exception(error))
    failed = output.with_name(f"{output.stem}.failed.ipynb")
    told(f"{one.job.name}: failed (exit code {code}) after {seconds} s\n{words}".rstrip())
    return JobState(JobStatus.FAILED, failed.name if failed.is_file() else None, one.since, seconds, code)


def _end_kernels(folder: Path, jobs: Iterable[Future[None]]) -> None:
    """End the kernels of a grid and all that they started; again for one that starts meanwhile, until no job runs."""
    while wait(jobs, _POLL_S).not_done:
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):
                if child.environ().get(_MARK) == str(folder):
                    for process in [*child.children(recursive=True), child]:
                        process.kill()  # a run that it computed goes on another time


def choose_slots(grid: Grid) -> list[Slot]:
    """Where jobs run: the visible GPUs, or on CPU `jobs`, else free memory by `memory_gb`, between 1 and the cores."""
    settings = grid.settings
    gpus = _visible_gpus() if _wants_gpus(grid) else []
    if gpus:
        own_gpus(grid)
        return [Slot(gpu) for gpu in gpus[: settings.jobs]]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    fitting = int(psutil.virtual_memory().available / 1e9 / settings.memory_gb)
    count = settings.jobs or max(1, min(cores, fitting))
    count = min(count, max(1, len(grid.jobs)))
    return [Slot(None, max(1, cores // count))] * count


def own_gpus(grid: Grid) -> bool:
    """Whether jobs are to have a GPU each. Raises UsageProblem where one names a GPU, since it sees its own alone."""
    devices = {str(job.parameters.get("device")) for job in grid.jobs}
    chosen = sorted(device for device in devices if device.startswith("cuda:"))
    if chosen:
        raise UsageProblem(f"device: every job sees one GPU only; expected auto or cuda, got {', '.join(chosen)}")
    return _wants_gpus(grid)


def _wants_gpus(grid: Grid) -> bool:
    return not {job.parameters.get("device", "auto") for job in grid.jobs} <= {"cpu"}


def _visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES writes them."""
    import torch  # here, since refusing a grid file need not wait for it

    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] if named else [str(index) for index in range(count)]
