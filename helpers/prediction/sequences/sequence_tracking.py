"""Whole sequences through Sa2VA, frame by frame, in memory that does not grow with their length."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Mode
from helpers.data.frames.frame import Frame
from helpers.model.bridge import bridge_of
from helpers.model.device_pixels import DevicePixels
from helpers.model.image_mode import to_rgb
from helpers.model.processing_sa2va import sam2_bytes
from helpers.model.tracking import FrameFeatures
from helpers.model.video import FRAMES_SEEN, answer_frames, encoded_at_once
from helpers.prediction.engine.batch_pipeline import FrameResult, Stop, write_outcomes
from helpers.prediction.engine.case_result import model_failure
from helpers.prediction.engine.io_threads import Loaded, load, threads_of
from helpers.prediction.predictor import FramePrediction, with_image_named
from helpers.prediction.sa2va_predictor import TOKEN_LIMIT, Sa2VAPredictor
from helpers.prediction.sequences.frame_features import Encoded, FeaturesOfGroups, Group, PreparedFrame, retry_on_oom
from helpers.prediction.sequences.sequence_answers import (
    DrawnFrame,
    SequenceAnswer,
    SequenceTracker,
    fullest,
    fullness,
    fused,
)

logger = logging.getLogger(__name__)

# Frames read ahead of the one at work.
AHEAD = 4

# Frames that the device is at, or that wait for it, while the processor takes care of earlier ones.
_STARTED = 3


class _Fullness:
    """Prepares no more of a frame than how full its vessels are."""

    def prepare(self, image: Image.Image) -> float:
        return fullness(image)


class SequencePredictor:
    """Predicts sequences with a Sa2VA model in evaluation mode, on the model's device and in its dtypes.

    The language model answers once for a sequence. SAM2 encodes a frame once, however many prompts and `[SEG]` there
    are. No more than a few frames are held at a time.
    """

    def __init__(
        self, model: Any, tokenizer: Any, identity: Mapping[str, Any], token_limit: int = TOKEN_LIMIT, *, mode: Mode
    ):
        """Wrap a model.

        Args:
            model, tokenizer, identity, token_limit: as `Sa2VAPredictor`.
            mode: any but FRAME.
        Raises:
            UsageProblem, RefusedInput: as `Sa2VAPredictor`; also for a model whose code follows no sequences.
        """
        self._alone = Sa2VAPredictor(model, tokenizer, identity, token_limit)
        if not hasattr(model, "tracker"):
            raise RefusedInput("the model folder's code follows no sequences. Convert again with this version")
        self.mode = mode
        self._model = model
        self._bridge = bridge_of(model)
        self._pixels = DevicePixels()
        self._drafts: dict[str, list[int]] = {}
        self._tokenizer = tokenizer
        self._token_limit = token_limit

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON object that says which weights these are."""
        return self._alone.identity

    @property
    def device(self) -> torch.device:
        """Where the model is, of several GPUs which."""
        return self._alone.device

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON object of what else decides the predictions."""
        return self._alone.settings

    def prepare(self, image: Image.Image) -> PreparedFrame:
        """The inputs of one frame; safe on several threads at once."""
        image = to_rgb(image)
        by_device = self._pixels.resizes(self._model, image.height, image.width)
        return PreparedFrame(
            image,
            sam2_bytes(image, self._side) if by_device is None else None,
            self._alone.prepare(image) if self.mode is Mode.FUSED else None,
        )

    @property
    def _side(self) -> int:
        return self._model.config.sam2_sizes.image_size

    def outcomes(
        self,
        frames: Sequence[Frame],
        prompts: Sequence[str],
        readers: ThreadPoolExecutor,
        seen: Mapping[int, Loaded] | None = None,
    ) -> Iterator[FrameResult]:
        """Outcomes of all frames of one sequence, those that are prompted first.

        A frame that fails is an outcome too, and a gap for the others.

        Args:
            frames: in order of time.
            prompts: at least one.
            readers: threads that read ahead.
            seen: what `prompted` gave for the frames; None reads them first.
        """
        seen = self.prompted(frames, readers) if seen is None else seen
        start = time.perf_counter()
        model = self._graphed()
        features = FeaturesOfGroups(model, self._pixels, self._relieve)
        # Begun before the words are read: SAM2's encoder needs none.
        first_groups = list(features.ahead(seen.items()))
        followed = retry_on_oom(
            lambda: SequenceTracker(model, self._say(list(seen.values()), prompts, readers)), self._relieve
        )
        share = (time.perf_counter() - start) / len(frames)
        first = min(seen, default=0)
        later = [position for position in range(first, len(frames)) if position not in seen]
        earlier = [position for position in range(first - 1, -1, -1) if position not in seen]

        def drawn(encoded: Iterable[tuple[Group, Encoded]], *, prompted: bool) -> Iterator[FrameResult]:
            """Outcomes of frames in the order given. A few are read back while the next are computed."""
            ahead: deque[_Started] = deque()
            for group, found in encoded:
                known = found()
                for position, item in group:
                    ahead.append(self._started(followed, position, item, known.get(position), features, prompted))
                    if len(ahead) > _STARTED:
                        yield self._outcome(followed, ahead.popleft(), prompts, share)
            while ahead:
                yield self._outcome(followed, ahead.popleft(), prompts, share)

        yield from drawn(first_groups, prompted=True)
        for positions in (later, earlier):
            items = zip(positions, self._read([frames[at] for at in positions], readers), strict=True)
            yield from drawn(features.ahead(items), prompted=False)
            if not isinstance(followed, Exception):
                followed.turn_back()

    def _read(self, frames: Sequence[Frame], readers: ThreadPoolExecutor) -> Iterator[Loaded]:
        return _read(frames, self, readers, 2 * encoded_at_once(self._model))

    @torch.inference_mode()
    def _started(
        self,
        followed: SequenceTracker | Exception,
        position: int,
        item: Loaded,
        known: FrameFeatures | None,
        features: FeaturesOfGroups,
        prompted: bool,
    ) -> "_Started":
        """A frame whose masks the device computes; features that are not known are computed first."""
        if item.failure is not None or isinstance(followed, Exception):
            return _Started(item, followed if isinstance(followed, Exception) else None, 0.0)
        start, tracker = time.perf_counter(), followed

        def work() -> DrawnFrame | None:
            if not tracker.follows:
                return None
            found = features.of(item.prepared) if known is None else known
            return tracker.draw(position, found, prompted=prompted)

        found = retry_on_oom(work, self._relieve)
        return _Started(item, found, time.perf_counter() - start)

    @torch.inference_mode()
    def _outcome(
        self, followed: SequenceTracker | Exception, started: "_Started", prompts: Sequence[str], share: float
    ) -> FrameResult:
        """The outcome of a frame that was read: its answers, or why it has none.

        Args:
            share: seconds of the sequence's answer that count as this frame's.
        """
        item, start = started.item, time.perf_counter()
        if item.failure is not None:
            return FrameResult(item.frame, item.facts, item.failure, item.timing, item.source)

        found: Any = started.found
        if isinstance(followed, SequenceTracker) and not isinstance(found, Exception):
            tracker = followed

            def work() -> tuple[FramePrediction, ...]:
                answers = tracker.answers(started.found, self._side)
                if item.prepared.alone is None:
                    return answers
                alone = self._alone.predict([item.prepared.alone], prompts)[0]
                return tuple(fused(one, other) for one, other in zip(alone, answers, strict=True))

            found = retry_on_oom(work, self._relieve)
        seconds = share + started.seconds + time.perf_counter() - start
        timing = {**item.timing, "predict_seconds": seconds, "batch_size": 1}
        if isinstance(found, Exception):
            found = model_failure(found, item.frame)
            logger.warning("%s: %s (%s)", item.frame.case_id, found.status, found.message)
        return FrameResult(item.frame, item.facts, found, timing, item.source)

    def prompted(self, frames: Sequence[Frame], readers: ThreadPoolExecutor) -> dict[int, Loaded]:
        """The frames of a sequence to prompt by position, in order of time; fewer where fewer can be read.

        Safe while another sequence is predicted.
        """
        wanted: Sequence[int] = range(len(frames))
        if self.mode.chooses:
            scores = [item.prepared for item in _read(frames, _Fullness(), readers, AHEAD)]
            wanted = fullest(scores, FRAMES_SEEN)
        seen: dict[int, Loaded] = {}
        for position, item in zip(wanted, _read([frames[at] for at in wanted], self, readers, AHEAD), strict=False):
            if item.failure is None:
                seen[position] = item
            if len(seen) == FRAMES_SEEN:
                break
        return seen

    def _relieve(self) -> None:
        """Give back what graphs hold: a sequence goes on without them."""
        if hasattr(self._model, "graphs"):
            self._model.graphs.drop()

    @torch.inference_mode()
    def _graphed(self) -> Any:
        """The model; in narrow dtypes a GPU replays what it computes. Folders converted before had no graphs."""
        return self._model.graphs.around(self._model) if hasattr(self._model, "graphs") else self._model

    @torch.inference_mode()
    def _say(self, seen: Sequence[Loaded], prompts: Sequence[str], readers: ThreadPoolExecutor) -> list[SequenceAnswer]:
        """What the language model says to each prompt; nothing where no frame could be read."""
        if not seen:
            return []
        tiles = torch.cat(list(readers.map(lambda item: self._bridge.frame_bytes([item.prepared.image]), seen)))
        said = []
        for prompt in prompts:
            expected = self._drafts.get(prompt, []) if self._alone.takes_drafts else None
            answer = answer_frames(
                self._model, tiles, with_image_named(prompt), "", self._tokenizer, self._token_limit, expected
            )
            if not answer.truncated:
                self._drafts[prompt] = answer.token_ids
            text = self._bridge.answer_text(answer.token_ids, self._tokenizer)
            said.append(SequenceAnswer(text, answer.truncated, len(answer.token_ids), len(seen), answer.seg_states))
            if not len(answer.seg_states):
                logger.warning(
                    "the sequence of %s: the answer about %d frames holds no [SEG], so that the model follows nothing. "
                    "A model trained on single frames alone may answer so: use --mode frame, or train it with several "
                    "frames",
                    seen[0].frame.case_id,
                    len(seen),
                )
        return said


@dataclass(frozen=True)
class _Started:
    """A frame that the device is at.

    Attributes:
        found: what `SequenceTracker.draw` gave, or what the model raised for the frame or its sequence; None of a frame
            that could not be read.
        seconds: that it took to start it.
    """

    item: Loaded
    found: Any
    seconds: float


def run_sequences(
    sequences: Sequence[Sequence[Frame]],
    predictor: SequencePredictor,
    prompts: Sequence[str],
    write: Callable[[FrameResult], bool],
    *,
    stop: Stop | None = None,
    written: Callable[[int], None] = lambda count: None,
) -> None:
    """Predict sequences in order and hand each frame's outcome to `write`; as `pipeline.run_batches`.

    Args:
        stop: asked before each frame.
    """
    stop = stop or Stop()

    def outcomes(readers: ThreadPoolExecutor) -> Iterator[FrameResult]:
        # The first frames of the next sequence are read while this one is predicted.
        with threads_of(1, "begin") as beginner:
            begun = [beginner.submit(predictor.prompted, frames, readers) for frames in sequences[:1]]
            for number, frames in enumerate(sequences):
                if stop.asked:
                    return
                seen = begun.pop().result()
                begun += [beginner.submit(predictor.prompted, later, readers) for later in sequences[number + 1 :][:1]]
                for outcome in predictor.outcomes(frames, prompts, readers, seen):
                    yield outcome
                    if stop.asked:
                        return

    write_outcomes(outcomes, write, written, predictor.settings)


def _read(frames: Sequence[Frame], preparer: Any, readers: ThreadPoolExecutor, ahead: int) -> Iterator[Loaded]:
    """The frames in order, so many read ahead, and never fewer than a few."""
    waiting: deque[Future] = deque()
    for frame in frames:
        waiting.append(readers.submit(load, frame, preparer))
        if len(waiting) > max(ahead, AHEAD):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
