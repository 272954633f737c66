"""Fixed batches, how shards and ranks share them, and the locks that keep one process on each shard.

A batch is a group of consecutive frames. It depends on the frames and the batch size alone, never on what was done
before, so that a run gives the same bytes however it was split, stopped and resumed.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock

from helpers.core.errors import UsageProblem
from helpers.core.processes import exclusive_lock
from helpers.core.vocabulary import Launcher
from helpers.data.frames.frame import Frame

_SHARD = re.compile(r"([0-9]+)/([0-9]+)")


@dataclass(frozen=True)
class WorkShard:
    """One share of a run: the `index`-th of `count`, from 1."""

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageProblem(f"shard: expected I/N with I from 1 to N, such as 1/4, got {self}")

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def takes(self, batch: int) -> bool:
        """Whether the batch of that position, from 0, is of this shard."""
        return batch % self.count == self.index - 1


WHOLE = WorkShard()


@dataclass(frozen=True)
class Process:
    """This process among those of one launch.

    Attributes:
        rank, world: position from 0, and how many there are.
        local_rank: position on this machine, which picks the GPU.
    """

    rank: int
    world: int
    local_rank: int

    @property
    def shard(self) -> WorkShard:
        return WorkShard(self.rank + 1, self.world)

    def device(self, asked: str) -> str:
        """The device of this process: for `auto` and `cuda`, the machine's GPUs in turn.

        A scheduler may show each process its own GPU alone; then all of them use that one.
        """
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return f"cuda:{self.local_rank % gpus}" if gpus and asked in {"auto", "cuda"} else asked


def parse_shard(text: str) -> WorkShard:
    """The shard of `1/4`. Raises UsageProblem."""
    found = _SHARD.fullmatch(text.strip())
    if not found:
        raise UsageProblem(f"shard: expected I/N such as 1/4, got {text!r}")
    return WorkShard(int(found[1]), int(found[2]))


def fixed_batches(frames: Sequence[Frame], batch_size: int) -> tuple[tuple[Frame, ...], ...]:
    """All batches of a run, in order: `batch_size` (at least 1) consecutive frames each, the last perhaps fewer."""
    return tuple(tuple(frames[start : start + batch_size]) for start in range(0, len(frames), batch_size))


def launched(launcher: Launcher, environment: Mapping[str, str] = os.environ) -> Process | None:
    """This process among those that `torchrun` or a launcher of mmengine started; None for a process on its own.

    `torchrun` is known by the variables that it sets, also without `launcher`. No process group is left behind: ranks
    share a run folder and nothing else, so that one that dies cannot stop the others.

    Raises:
        UsageProblem: where the launcher's variables are missing.
    """
    if launcher is Launcher.SLURM:
        names = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")
    else:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    missing = [name for name in names if not environment.get(name, "").isdigit()]
    if missing and launcher is Launcher.NONE:
        return None
    if missing:
        started = "srun" if launcher is Launcher.SLURM else "torchrun"
        raise UsageProblem(
            f"launcher {launcher}: expected the variables {', '.join(names)}, found no {', '.join(missing)}. Start the "
            f"command with {started}, or leave --launcher out"
        )
    rank, world, local_rank = (int(environment[name]) for name in names)
    return Process(rank, world, local_rank) if world > 1 else None


def own_processors(environment: Mapping[str, str] = os.environ) -> int:
    """This process's share of the processors: those that `torchrun` starts on one machine share them."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = environment.get("LOCAL_WORLD_SIZE", "")
    return max(1, available // max(1, int(processes) if processes.isdigit() else 1))


def start_lock(run: Path) -> FileLock:
    """Waited for by processes that start together, so that they agree on the configuration. Its folder is made."""
    (run / "locks").mkdir(parents=True, exist_ok=True)
    return FileLock(run / "locks" / "start.lock")


def finishing_lock(run: Path) -> FileLock:
    """Held by the process that finishes a run, or takes back that it is finished."""
    return FileLock(run / "locks" / "finishing.lock")


@contextmanager
def shard_lock(run: Path, index: int, count: int) -> Iterator[None]:
    """Hold shard `index` (from 1) of `count` within the block; the system frees it when a process dies.

    Raises:
        VesselkitError: at once, where another process holds it, or holds a shard of another count: such shards share
            cases with this one.
    """
    folder, taken = run / "locks", f"{run}: shard {index}/{count} is being computed by another process"
    with exclusive_lock(folder / f"shard-{index}-of-{count}.lock", f"{taken}. Wait for it, or take another shard"):
        _refuse_other_counts(run, folder, count)
        yield


def _refuse_other_counts(run: Path, folder: Path, count: int) -> None:
    for path in sorted(folder.glob("shard-*-of-*.lock")):
        _, index, _, others = path.stem.split("-")
        taken = (
            f"{run}: shard {index}/{others} is being computed by another process, and shards of {count} would "
            f"share cases with it. Wait for it, or ask for shards of {others}"
        )
        if others != str(count):
            with exclusive_lock(path, taken):
                pass
