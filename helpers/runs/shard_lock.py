"""One process at a time on each shard of a run, and at its start and end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from helpers.core.processes import exclusive_lock


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
