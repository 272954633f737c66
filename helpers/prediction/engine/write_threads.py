"""Writing outcomes on threads, behind the model."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from helpers.core.errors import DENIED, READ_ONLY, OsErrorText, VesselkitError, in_words

# Frames that may wait to be written: several large batches, since all frames of one come at once.
UNWRITTEN = 128


class Writing:
    """Writes outcomes on threads; `put` waits while too many are unwritten. Leaving it waits for all."""

    def __init__(self, write: Callable[[Any], bool], written: Callable[[int], None], threads: int) -> None:
        """Begin.

        Args:
            write: called on several threads; returns whether something was written.
            written: told on the thread that calls `put`, after each outcome, how many more are written.
        """
        self._write = write
        self._written = written
        self._pool = threads_of(threads, "write")
        self._waiting: deque[Future] = deque()

    def __enter__(self) -> "Writing":
        return self

    def put(self, outcome: Any) -> None:
        """Queue one outcome.

        Raises:
            VesselkitError: where an earlier one could not be written.
        """
        while self._waiting and (len(self._waiting) >= UNWRITTEN or self._waiting[0].done()):
            self._collect()
        self._waiting.append(self._pool.submit(self._write, outcome))

    def __exit__(self, kind: Any, *_: Any) -> None:
        self._pool.shutdown()
        while self._waiting and kind is None:
            self._collect()

    def _collect(self) -> None:
        try:
            count = int(self._waiting.popleft().result())
        except OSError as error:
            raise unwritten(error) from error
        self._written(count)


def threads_of(count: int, name: str) -> ThreadPoolExecutor:
    """Threads that use one processor each: with PyTorch's usual number they would take the model's."""
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=torch.set_num_threads, initargs=(1,))


def unwritten(error: OSError) -> VesselkitError:
    """What to tell the user where a run folder could not be written."""
    words = in_words(error)
    if words is None or error.errno in READ_ONLY | DENIED:
        words = OsErrorText(f"a result could not be written ({error.strerror})", "Make the folder writable")
    return VesselkitError(
        f"{words.found}; the cases written before are kept. {words.advice} and run the same command again"
    )
