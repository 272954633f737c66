"""One process at a time where two would spoil each other's files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.errors import VesselkitError


@contextmanager
def only_process(folder: Path, what: str, name: str = ".lock") -> Iterator[None]:
    """Hold a folder, which is made where it is missing, within the block; the system frees it when a process dies.

    Args:
        what: what another process would be doing, for the message, such as "trains".
        name: of the lock file, which stays.
    Raises:
        VesselkitError: at once, where another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / name)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise VesselkitError(f"{folder}: another process {what} here; wait for it, or name another folder") from error
    try:
        yield
    finally:
        lock.release()
