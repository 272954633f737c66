"""Run the jobs of a grid: one for each GPU, or as many as the memory allows; skip what is done; go on past failures.

Each job is a process of its own, so that a job that dies takes no other with it and its memory is given back.
"""

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import psutil

from helpers.core import paths
from helpers.core.atomic import write_json_atomic
from helpers.core.errors import UsageProblem
from helpers.core.processes import only_process
from helpers.core.progress import Bar
from helpers.notebook.grid_file import Grid, Job
from helpers.notebook.grid_index import JobState, JobStatus, write_index

_log = logging.getLogger(__name__)

_POLL_S = 0.1
_GRACE_S = 5.0
_LAST_BYTES = 500  # of what a job says of its progress: its last line
_ASIDE = ".notebook-*"  # folders of notebooks that were running when their process was killed


@dataclass(frozen=True)
class Slot:
    """A place where one job at a time runs. `gpu` None: on CPU, with `threads` threads."""

    gpu: str | None
    threads: int | None = None


@dataclass(frozen=True)
class _Running:
    job: Job
    process: subprocess.Popen
    errors: IO[str]
    progress: IO[bytes]  # lines that say what the job is at
    slot: Slot
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


def _run_locked(grid: Grid, slots: list[Slot], told: Callable[[str], None]) -> dict[int, JobState]:
    for left in grid.folder.glob(_ASIDE):
        shutil.rmtree(left)
    states = {job.number: kept_state(grid.folder, job) or JobState() for job in grid.jobs}
    waiting = [job for job in grid.jobs if states[job.number].status is JobStatus.WAITING]
    free, running = list(slots), list[_Running]()
    write_index(grid, states)
    bar = Bar("jobs", len(grid.jobs), unit="job", initial=len(grid.jobs) - len(waiting), even=False)
    bar.begin()
    try:
        while waiting or running:
            while waiting and free:
                job = waiting.pop(0)
                started = _start(grid, job, free.pop(0))
                running.append(started)
                states[job.number] = JobState(JobStatus.RUNNING, started=started.since)
                write_index(grid, states)
            ended = [one for one in running if one.process.poll() is not None]
            for one in ended:
                running.remove(one)
                free.append(one.slot)
                states[one.job.number] = _ended(grid, one, told)
                write_index(grid, states)
                bar.update()
            if not ended:
                bar.tell("; ".join(filter(None, map(_at, running))))
                time.sleep(_POLL_S)
    finally:
        bar.end()
        for one in running:  # only after an interrupt or an error
            _stop(one)
            states[one.job.number] = replace(states[one.job.number], status=JobStatus.STOPPED)
        if running:
            write_index(grid, states)
    return states


def _start(grid: Grid, job: Job, slot: Slot) -> _Running:
    environment = dict(os.environ)
    environment[paths.ROOT_VARIABLE] = str(paths.project_root())
    if slot.gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = slot.gpu
    if slot.threads is not None:
        environment.setdefault("OMP_NUM_THREADS", str(slot.threads))
    told = {
        "notebook": str(grid.settings.notebook),
        "output": str(grid.folder / f"{job.name}.ipynb"),
        "parameters": job.parameters,
        "timeout_s": grid.settings.timeout_s,
    }
    errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115, closed when it has ended
    progress = tempfile.TemporaryFile("a+b")  # noqa: SIM115, as above; the job appends, wherever this process reads
    process = subprocess.Popen(
        [sys.executable, "-m", "helpers.notebook.grid_job"],
        stdin=subprocess.PIPE, stdout=progress, stderr=errors, env=environment, text=True,
    )  # fmt: skip
    try:
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()  # and left open: its end tells the job that this process has died
    except BrokenPipeError:
        pass  # it has died already; its exit code and error text say why
    return _Running(job, process, errors, progress, slot, time.time(), time.monotonic())


def _at(one: _Running) -> str:
    """What a job that runs said last; empty before its first word."""
    one.progress.seek(max(0, one.progress.seek(0, os.SEEK_END) - _LAST_BYTES))
    found = one.progress.read().decode(errors="replace").splitlines()
    return f"{one.job.name}: {found[-1]}" if found else ""


def _ended(grid: Grid, one: _Running, told: Callable[[str], None]) -> JobState:
    """The state of a job whose process has ended; the mark of a finished one is written here."""
    seconds = round(time.monotonic() - one.clock, 1)
    code = one.process.returncode
    _close_input(one)
    one.errors.seek(0)
    words = one.errors.read().strip()
    one.errors.close()
    one.progress.close()
    output = grid.folder / f"{one.job.name}.ipynb"
    if code == 0 and output.is_file():
        write_mark(one.job, output, one.since, seconds)
        told(f"{one.job.name}: done in {seconds} s")
        return JobState(JobStatus.DONE, output.name, one.since, seconds, code)
    failed = output.with_name(f"{output.stem}.failed.ipynb")
    told(f"{one.job.name}: failed (exit code {code}) after {seconds} s\n{words}".rstrip())
    return JobState(JobStatus.FAILED, failed.name if failed.is_file() else None, one.since, seconds, code)


def write_mark(job: Job, output: Path, since: float, seconds: float) -> None:
    """Say that a job is done, beside its executed notebook.

    Args:
        since: seconds since 1970 when it began.
        seconds: how long it took.
    """
    mark = {"key": job.key, "started": since, "seconds": seconds, "notebook": output.name}
    write_json_atomic(output.with_suffix(".json"), mark)


def kept_state(folder: Path, job: Job) -> JobState | None:
    """The state of a job that an earlier run finished, whatever its number was then."""
    for path in sorted(folder.glob(f"job-*-{job.short_key}.json")):
        try:
            mark = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        if mark.get("key") == job.key and path.with_suffix(".ipynb").is_file():
            return JobState(JobStatus.KEPT, path.with_suffix(".ipynb").name, mark["started"], mark["seconds"], 0)
    return None


def _stop(one: _Running) -> None:
    """End a job's process and its kernel, which is a process of another group."""
    try:
        parent = psutil.Process(one.process.pid)
        tree = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        tree = []
    for process in tree:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(tree, timeout=_GRACE_S)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    one.process.wait()
    _close_input(one)
    one.errors.close()
    one.progress.close()


def _close_input(one: _Running) -> None:
    with contextlib.suppress(BrokenPipeError):  # where it died before it had read its input
        one.process.stdin.close()
