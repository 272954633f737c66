"""One process at a time where two would spoil each other's files."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.errors import VesselkitError


def only_process(folder: Path, what: str) -> AbstractContextManager[None]:
    """Hold a folder, which is made where it is missing, within the block.

    Args:
        what: what another process would be doing, for the message, such as "trains".
    Raises:
        VesselkitError: at once, where another process holds it.
    """
    return held(folder / ".lock", f"{folder}: another process {what} here; wait for it, or name another folder")


@contextmanager
def held(file: Path, refusal: str) -> Iterator[None]:
    """Hold a lock file, which stays, within the block; the system frees it when a process dies.

    Raises:
        VesselkitError: with the text `refusal`, at once, where another process holds it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise VesselkitError(refusal) from error
    try:
        yield
    finally:
        lock.release()
