"""One process at a time on each shard of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.errors import VesselkitError


@contextmanager
def shard_lock(run: Path, index: int, count: int) -> Iterator[None]:
    """Hold shard `index` (from 1) of `count` within the block; the system frees it when a process dies.

    Raises:
        VesselkitError: at once, where another process holds it.
    """
    folder = run / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"shard-{index}-of-{count}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise VesselkitError(
            f"{run}: shard {index}/{count} is being computed by another process. Wait for it, or take another shard"
        ) from error
    try:
        yield
    finally:
        lock.release()
