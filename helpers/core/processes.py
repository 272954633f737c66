"""Processes that share work, and one process at a time where two would spoil each other's files."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from helpers.core.errors import VesselkitError

_ORPHANED = 1

Key = TypeVar("Key")
Result = TypeVar("Result")


def parallel_map(
    work: Callable[[Key], Result], keys: Iterable[Key], processes: int, *, chunk: int = 1
) -> Iterator[Result]:
    """`map(work, keys)` on several processes, in the order of `keys`; with 1, all runs in this one.

    Args:
        work: picklable: a function of a module, or a `functools.partial` of one.
        chunk: keys that a process is given at a time.
    Raises:
        VesselkitError: where the memory ran out, or a process was killed, as systems do for want of memory.
    """
    if processes <= 1:
        yield from map(work, keys)
        return
    # Fresh processes: torch and OpenMP threads of the parent do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_the_parent) as pool:
        try:
            yield from pool.map(work, keys, chunksize=chunk)
        except BrokenProcessPool as error:
            raise VesselkitError(
                f"one of {processes} processes was killed, most often because the memory ran out; nothing was written. "
                "Give the same command again with fewer processes (--processes 1)"
            ) from error
        except MemoryError as error:
            raise VesselkitError(
                f"the memory ran out in one of {processes} processes; nothing was written. Give the same command again "
                "with fewer processes (--processes 1)"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_the_parent() -> None:
    """A worker waits for more work for ever, also where the process that would give it was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("expected a worker of a pool, which has a parent process")

    def watch() -> None:
        parent.join()
        os._exit(_ORPHANED)

    threading.Thread(target=watch, daemon=True).start()


def only_process(folder: Path, what: str) -> AbstractContextManager[None]:
    """Hold a folder, which is made where it is missing, within the block.

    Args:
        what: what another process would be doing, for the message, such as "trains".
    Raises:
        VesselkitError: at once, where another process holds it.
    """
    return exclusive_lock(
        folder / ".lock", f"{folder}: another process {what} here; wait for it, or name another folder"
    )


@contextmanager
def exclusive_lock(file: Path, refusal: str) -> Iterator[None]:
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
