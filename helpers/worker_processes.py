"""Processes that share work: fresh ones, which end with the process that started them, and whose death is told."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from helpers.errors import VesselkitError

_ORPHANED = 1

Key = TypeVar("Key")
Result = TypeVar("Result")


def shared(work: Callable[[Key], Result], keys: Iterable[Key], processes: int, *, chunk: int = 1) -> Iterator[Result]:
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

    def watch() -> None:
        parent.join()
        os._exit(_ORPHANED)

    threading.Thread(target=watch, daemon=True).start()
