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
        VesselkitError: at once, where another process holds it, or holds a shard of another count: such shards share
            cases with this one.
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
        _refuse_other_counts(run, folder, count)
        yield
    finally:
        lock.release()


def _refuse_other_counts(run: Path, folder: Path, count: int) -> None:
    for path in sorted(folder.glob("shard-*-of-*.lock")):
        if path.stem.endswith(f"-of-{count}"):
            continue
        try:
            with FileLock(path).acquire(timeout=0):
                pass
        except Timeout as error:
            _, index, _, others = path.stem.split("-")
            raise VesselkitError(
                f"{run}: shard {index}/{others} is being computed by another process, and shards of {count} would "
                f"share cases with it. Wait for it, or ask for shards of {others}"
            ) from error
