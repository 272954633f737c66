"""Writing outcomes behind the model: on threads, or in processes that do not hold its interpreter."""

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import torch

from helpers.errors import VesselkitError
from helpers.system import DENIED, READ_ONLY, Words, in_words

# Frames that may wait to be written: several large batches, since all frames of one come at once.
UNWRITTEN = 128


class Writing:
    """Writes outcomes on threads; `put` waits while too many are unwritten. Leaving it waits for all."""

    def __init__(
        self, write: Callable[[Any], bool], written: Callable[[int], None], threads: int, processes: int = 0
    ) -> None:
        """Begin.

        Args:
            write: called on several threads, or sent to the processes; returns whether something was written.
            written: told on the thread that calls `put`, after each outcome, how many more are written.
            threads: that write where there are no processes.
            processes: that write in place of threads; they start at once, and load while the first batch is computed.
        """
        self._write = write
        self._written = written
        self._processes = [WriterProcess(write) for _ in range(processes)]
        self._idle: SimpleQueue[WriterProcess] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)
        self._pool = threads_of(processes or threads, "write")
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
        write = self._write_elsewhere if self._processes else self._write
        self._waiting.append(self._pool.submit(write, outcome))

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            self._pool.shutdown()
            while self._waiting and kind is None:
                self._collect()
        finally:
            for process in self._processes:
                process.close()

    def _write_elsewhere(self, outcome: Any) -> bool:
        process = self._idle.get()
        try:
            return process(outcome)
        finally:
            self._idle.put(process)

    def _collect(self) -> None:
        try:
            count = int(self._waiting.popleft().result())
        except OSError as error:
            raise unwritten(error) from error
        self._written(count)


class WriterProcess:
    """A process that writes what it is sent; it ends with this one, however that ends."""

    def __init__(self, write: Callable[[Any], bool]) -> None:
        """Start it, without a GPU and with the modules of this one."""
        path = os.pathsep.join(one for one in sys.path if one)
        environment = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
        command = [sys.executable, "-m", "helpers.inference.writing"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._write = write
        self._told = False

    def __call__(self, outcome: Any) -> bool:
        """Write one outcome there.

        Raises:
            OSError: as the writing.
            VesselkitError: where the process is gone.
        """
        try:
            if not self._told:
                self._send(self._write)
                self._told = True
            self._send(outcome)
            found = pickle.load(self._process.stdout)
        except (BrokenPipeError, EOFError) as error:
            code = self._process.wait()
            raise VesselkitError(
                f"a process that writes results ended before its time (code {code}); the cases written before are "
                "kept. See what it said above, and run the same command again"
            ) from error
        if isinstance(found, OSError):
            raise found
        return found

    def close(self) -> None:
        """Let it end, and wait for that."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _send(self, what: Any) -> None:
        pickle.dump(what, self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
        self._process.stdin.flush()


def threads_of(count: int, name: str) -> ThreadPoolExecutor:
    """Threads that use one processor each: with PyTorch's usual number they would take the model's."""
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=torch.set_num_threads, initargs=(1,))


def unwritten(error: OSError) -> VesselkitError:
    """What to tell the user where a run folder could not be written."""
    words = in_words(error)
    if words is None or error.errno in READ_ONLY | DENIED:
        words = Words(f"a result could not be written ({error.strerror})", "Make the folder writable")
    return VesselkitError(
        f"{words.found}; the cases written before are kept. {words.advice} and run the same command again"
    )


def serve() -> None:
    """Be a `WriterProcess`: read what writes, then outcomes, from standard input until it closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the process that predicts, which ends this one
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # These pickles come from the process that started this one, never from a file.
    write = pickle.load(sys.stdin.buffer)
    while True:
        try:
            outcome = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            found: bool | OSError = write(outcome)
        except OSError as error:
            found = error
        pickle.dump(found, answers)
        answers.flush()


if __name__ == "__main__":
    serve()
