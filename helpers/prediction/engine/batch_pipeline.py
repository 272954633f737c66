"""Reading, predicting and writing at the same time: threads read ahead and write behind, the main thread predicts.

All queues are bounded, so that a slow disk or a slow model holds the others back instead of filling the memory.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from helpers.data.frames.frame import Frame
from helpers.prediction.engine.batch_answers import Answers, answers_of
from helpers.prediction.engine.case_result import Failure, FrameFacts
from helpers.prediction.engine.io_threads import Loaded, Writing, read_ahead, threads_of
from helpers.prediction.predictor import Predictor
from helpers.prediction.work_shards import own_processors
from helpers.runs.asked_prompts import AskedPrompts

logger = logging.getLogger(__name__)

# Threads that read, and as many that write. Four keep up with 100 frames a second. More take turns with the model's
# thread at Python's lock, which holds it up: with 8 and 32 it took 91 ms for launches that take 5.
FEWEST_THREADS, MOST_THREADS = 2, 4


@dataclass(frozen=True)
class FrameResult:
    """A frame after prediction: an answer or a failure for each prompt that it was asked, or one failure for all.

    Attributes:
        timing: seconds of reading, preparing and predicting, the last as this frame's part of its batch; batch_size;
            drafted_answers where there are answers.
        source: as that of `Loaded`.
    """

    frame: Frame
    facts: FrameFacts | None
    found: Answers | Failure
    timing: Mapping[str, float | int]
    source: str | None = None


class Stop:
    """Whether the user or the system asked the run to end after what is being computed."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, number: int, frame: Any) -> None:
        """Signal handler: the first signal is noted, a second one ends the process in its usual way."""
        self.asked = True
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        logger.warning("stopping after the current batch; finished cases are kept. Ask once more to stop at once")


@contextmanager
def stopping() -> Iterator[Stop]:
    """Note SIGINT and SIGTERM within the block instead of obeying at once; only the main thread can."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_batches(
    batches: Sequence[Sequence[Frame]],
    predictor: Predictor,
    prompts: AskedPrompts,
    write: Callable[[FrameResult], bool],
    *,
    stop: Stop | None = None,
    written: Callable[[int], None] = lambda count: None,
) -> None:
    """Predict batches of frames in order and hand each frame's outcome to `write`.

    A frame that fails is an outcome too. All that was computed is written before this returns or raises.

    Args:
        prompts: at least one of every frame.
        write: called on writer threads, several at a time; returns whether something was written.
        stop: asked before each batch.
        written: told on the main thread, after each frame, how many more are written.
    Raises:
        VesselkitError: where results cannot be written, or the device itself failed.
    """
    stop = stop or Stop()

    def outcomes(readers: ThreadPoolExecutor) -> Iterator[FrameResult]:
        with closing(read_ahead(readers, batches, predictor)) as ahead:
            for loaded in ahead:
                if stop.asked:
                    return
                yield from predict_batch(predictor, loaded, prompts)
                if stop.asked:  # before the next one is waited for
                    return

    write_outcomes(outcomes, write, written, predictor.settings)


def write_outcomes(
    outcomes: Callable[[ThreadPoolExecutor], Iterator[FrameResult]],
    write: Callable[[FrameResult], bool],
    written: Callable[[int], None],
    settings: Mapping[str, Any],
) -> None:
    """Write outcomes while the next are made, see `run_batches`.

    Args:
        outcomes: makes them on the main thread; it is given threads that read.
        settings: of the predictor, which say its device.
    """
    with (
        _own_threads(torch.device(settings.get("device", "cpu")).type != "cpu"),
        _readers() as readers,
        Writing(write, written, worker_threads()) as writing,
    ):
        for outcome in outcomes(readers):
            writing.put(outcome)


def predict_batch(predictor: Predictor, loaded: Sequence[Loaded], prompts: AskedPrompts) -> list[FrameResult]:
    """Outcomes of one fixed batch, in its order. Frames that could not be read take no part in the prediction."""
    ready = [item for item in loaded if item.failure is None]
    start = time.perf_counter()
    found = iter(answers_of(predictor, ready, prompts) if ready else ())
    share = (time.perf_counter() - start) / max(len(ready), 1)
    outcomes = []
    for item in loaded:
        if item.failure is not None:
            outcomes.append(FrameResult(item.frame, item.facts, item.failure, item.timing, item.source))
            continue
        answers = next(found)
        timing = {**item.timing, "predict_seconds": share, "batch_size": len(ready)}
        if not isinstance(answers, Failure):
            timing["drafted_answers"] = sum(not isinstance(one, Failure) and one.drafted for one in answers)
        outcomes.append(FrameResult(item.frame, item.facts, answers, timing, item.source))
    return outcomes


def worker_threads(environment: Mapping[str, str] = os.environ) -> int:
    """How many threads read, and how many write: a quarter of this process's share of the processors, 2 to 4."""
    return min(max(own_processors(environment) // 4, FEWEST_THREADS), MOST_THREADS)


@contextmanager
def _own_threads(alone: bool) -> Iterator[None]:
    """Give threads that start later the usual number of processors again: what a thread sets, new ones inherit.

    Args:
        alone: whether this thread takes one processor meanwhile, since a GPU computes. PyTorch would share copies of a
            batch among all processors, and wait for those that read and write: 140 ms in place of 6.
    """
    before = torch.get_num_threads()
    if alone:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _readers() -> Iterator[ThreadPoolExecutor]:
    """Threads whose waiting work is dropped when the block ends."""
    pool = threads_of(worker_threads(), "read")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
