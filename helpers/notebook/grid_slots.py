"""Places where the jobs of a grid run on this machine: one on each GPU, or as many on CPU as the memory allows."""

import os
from dataclasses import dataclass

import psutil

from helpers.core.errors import UsageProblem
from helpers.notebook.grid_file import Grid


@dataclass(frozen=True)
class Slot:
    """A place where one job at a time runs. `gpu` None: on CPU, with `threads` threads."""

    gpu: str | None
    threads: int | None = None


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
