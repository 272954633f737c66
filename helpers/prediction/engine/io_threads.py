"""Threads around the model: they read and prepare frames ahead of it, and write outcomes behind it."""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL import Image

from helpers.core.errors import DENIED, READ_ONLY, OsErrorText, VesselkitError, in_words
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import BadSize, DecoderFailure, UnreadableImage
from helpers.prediction.engine.case_result import (
    MODEL_ERRORS,
    Failure,
    FrameFacts,
    device_failure,
    failure_of,
    frame_facts,
    model_failure,
    nameless,
)
from helpers.prediction.predictor import Gathers, Predictor
from helpers.runs.provenance import file_state
from helpers.runs.status import PredictionStatus

logger = logging.getLogger(__name__)

# Batches read ahead of the one being predicted.
AHEAD = 2

# Frames that may wait to be written: several large batches, since all frames of one come at once.
UNWRITTEN = 128


@dataclass(frozen=True)
class Loaded:
    """A frame after its reading.

    Attributes:
        facts: None where it could not be read.
        prepared: what the predictor takes; None where `failure` says why not.
        timing: seconds of reading and preparing.
        source: state of the image file before it was read, see `file_state`.
    """

    frame: Frame
    facts: FrameFacts | None
    prepared: Any = field(default=None, repr=False)
    failure: Failure | None = None
    timing: Mapping[str, float] = field(default_factory=dict)
    source: str | None = None


def load(frame: Frame, predictor: Predictor) -> Loaded:
    """Read and prepare one frame; what goes wrong becomes its failure."""
    # Before the reading, so that a file which changes meanwhile counts as changed.
    source = file_state(frame.path, frame.bits)
    return replace(_load(frame, predictor), source=source)


def _load(frame: Frame, predictor: Predictor) -> Loaded:
    start = time.perf_counter()
    try:
        image = read_frame(frame.path, frame.index, frame.bits)
        facts = frame_facts(image)
    except BadSize as error:
        return Loaded(frame, None, failure=failure_of(frame, PredictionStatus.BAD_SIZE, error.reason))
    except DecoderFailure as error:
        return Loaded(frame, None, failure=failure_of(frame, PredictionStatus.ERROR, error.reason))
    except UnreadableImage as error:
        return Loaded(frame, None, failure=failure_of(frame, PredictionStatus.READ_ERROR, error.reason))
    except MemoryError as error:
        return Loaded(frame, None, failure=model_failure(error, frame))
    return prepare(frame, image, facts, predictor, {"read_seconds": time.perf_counter() - start})


def prepare(
    frame: Frame, image: Image.Image, facts: FrameFacts, predictor: Predictor, timing: Mapping[str, float]
) -> Loaded:
    """A frame that was read, prepared for a predictor; what goes wrong becomes its failure.

    Args:
        image: mode RGB.
        facts: of that image.
        timing: seconds of what was done before.
    """
    read = time.perf_counter()
    try:
        prepared = predictor.prepare(image)
    except MODEL_ERRORS as error:
        return Loaded(frame, facts, failure=model_failure(error, frame), timing=timing)
    return Loaded(frame, facts, prepared, timing={**timing, "prepare_seconds": time.perf_counter() - read})


def read_ahead(
    readers: ThreadPoolExecutor, batches: Sequence[Sequence[Frame]], predictor: Predictor
) -> Generator[list[Loaded]]:
    """Batches in order, read by `readers` and gathered on a thread of its own, both ahead of the one that is used.

    Raises:
        VesselkitError: where the device itself failed.
    """
    waiting: deque[tuple[list[Future[Loaded]], Future[list[Loaded]]]] = deque()
    gatherer = threads_of(1, "gather")
    try:
        for batch in batches:
            reading = [readers.submit(load, frame, predictor) for frame in batch]
            waiting.append((reading, gatherer.submit(_gathered, predictor, reading)))
            if len(waiting) > AHEAD:
                yield waiting.popleft()[1].result()
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        # Before the thread that gathers is waited for, which waits for these.
        for reading, _ in waiting:
            for future in reading:
                future.cancel()
        gatherer.shutdown(cancel_futures=True)


def _gathered(predictor: Predictor, reading: Sequence[Future[Loaded]]) -> list[Loaded]:
    """A batch once it is read, on the device where the predictor brings it there ahead."""
    loaded = [future.result() for future in reading]
    ready = [place for place, item in enumerate(loaded) if item.failure is None]
    if not ready or not isinstance(predictor, Gathers):
        return loaded
    try:
        gathered = predictor.gather([loaded[place].prepared for place in ready])
    except torch.AcceleratorError as error:
        raise device_failure(error) from error
    except MODEL_ERRORS as error:  # `predict` meets it again where it lasts, and says of which frame
        words = nameless(f"{type(error).__name__}: {error}")
        logger.warning("a batch could not be prefetched to the device and is copied when it is predicted (%s)", words)
        return loaded
    for place, prepared in zip(ready, gathered, strict=True):
        loaded[place] = replace(loaded[place], prepared=prepared)
    return loaded


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
