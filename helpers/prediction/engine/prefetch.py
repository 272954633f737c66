"""Frames on their way to the model: read, prepared and brought to the device while earlier ones are predicted."""

import logging
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL import Image

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
from helpers.prediction.engine.write_threads import threads_of
from helpers.prediction.predictor import Gathers, Predictor
from helpers.runs.provenance import file_state
from helpers.runs.status import PredictionStatus

logger = logging.getLogger(__name__)

# Batches read ahead of the one being predicted.
AHEAD = 2


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
