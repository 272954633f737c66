"""Whole sequences through Sa2VA, frame by frame, in memory that does not grow with their length."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Mode
from helpers.data.frames.frame import Frame
from helpers.model.bridge import bridge_of
from helpers.model.image_mode import to_rgb
from helpers.model.processing_sa2va import sam2_bytes
from helpers.model.video import FRAMES_SEEN, answer_frames
from helpers.prediction.engine.batch_pipeline import FrameResult, Stop, write_outcomes
from helpers.prediction.engine.case_result import MODEL_ERRORS, device_failure, model_failure
from helpers.prediction.engine.io_threads import Loaded, load
from helpers.prediction.engine.memory_estimate import empty_cache, is_out_of_memory
from helpers.prediction.predictor import FramePrediction, with_image_named
from helpers.prediction.sa2va_predictor import TOKEN_LIMIT, Sa2VAPredictor
from helpers.prediction.sequences.sequence_answers import SequenceAnswer, SequenceTracker, fullest, fullness, fused

logger = logging.getLogger(__name__)

# Frames read ahead of the one at work.
AHEAD = 4


@dataclass(frozen=True)
class PreparedFrame:
    """A frame as the model takes it in a sequence, still as bytes.

    Attributes:
        tile: uint8 (1, 3, h, w), for the language model, see `Bridge.frame_bytes`.
        square: uint8 (1, 3, S, S), stretched for SAM2.
        alone: the inputs of the frame by itself; None where they are not asked for.
    """

    tile: torch.Tensor = field(repr=False)
    square: torch.Tensor = field(repr=False)
    alone: Any = field(default=None, repr=False)


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
            raise RefusedInput("the model folder's code follows no sequences; convert again with this version")
        self.mode = mode
        self._model = model
        self._bridge = bridge_of(model)
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
        return PreparedFrame(
            self._bridge.frame_bytes([image]),
            sam2_bytes(image, self._model.config.sam2_sizes.image_size),
            self._alone.prepare(image) if self.mode is Mode.FUSED else None,
        )

    def outcomes(
        self, frames: Sequence[Frame], prompts: Sequence[str], readers: ThreadPoolExecutor
    ) -> Iterator[FrameResult]:
        """Outcomes of all frames of one sequence, those that are prompted first.

        A frame that fails is an outcome too, and a gap for the others.

        Args:
            frames: in order of time.
            prompts: at least one.
            readers: threads that read ahead.
        """
        seen = self._seen(frames, readers)
        start = time.perf_counter()
        followed = _retry_on_oom(lambda: SequenceTracker(self._model, self._say(list(seen.values()), prompts)))
        share = (time.perf_counter() - start) / len(frames)

        def drawn(item: Loaded, position: int) -> FrameResult:
            def work() -> tuple[FramePrediction, ...]:
                if isinstance(followed, Exception):
                    raise followed
                return self._draw(followed, position, item.prepared, prompts, prompted=position in seen)

            return _outcome(item, work, share)

        for position, item in seen.items():
            yield drawn(item, position)
        first = min(seen, default=0)
        later = [position for position in range(first, len(frames)) if position not in seen]
        earlier = [position for position in range(first - 1, -1, -1) if position not in seen]
        for positions in (later, earlier):
            for position, item in zip(positions, _read([frames[at] for at in positions], self, readers), strict=True):
                yield drawn(item, position)
            if not isinstance(followed, Exception):
                followed.turn_back()

    def _seen(self, frames: Sequence[Frame], readers: ThreadPoolExecutor) -> dict[int, Loaded]:
        """The frames to prompt by position, in order of time; fewer where fewer can be read."""
        wanted: Sequence[int] = range(len(frames))
        if self.mode.chooses:
            scores = [item.prepared for item in _read(frames, _Fullness(), readers)]
            wanted = fullest(scores, FRAMES_SEEN)
        seen: dict[int, Loaded] = {}
        for position, item in zip(wanted, _read([frames[at] for at in wanted], self, readers), strict=False):
            if item.failure is None:
                seen[position] = item
            if len(seen) == FRAMES_SEEN:
                break
        return seen

    @torch.inference_mode()
    def _say(self, seen: Sequence[Loaded], prompts: Sequence[str]) -> list[SequenceAnswer]:
        """What the language model says to each prompt; nothing where no frame could be read."""
        if not seen:
            return []
        tiles = torch.cat([item.prepared.tile for item in seen])
        said = []
        for prompt in prompts:
            answer = answer_frames(self._model, tiles, with_image_named(prompt), "", self._tokenizer, self._token_limit)
            text = self._bridge.answer_text(answer.token_ids, self._tokenizer)
            said.append(SequenceAnswer(text, answer.truncated, len(answer.token_ids), len(seen), answer.seg_states))
            if not len(answer.seg_states):
                logger.warning(
                    "the sequence of %s: no [SEG] in the answer about %d frames, so that nothing is followed. A model "
                    "trained on single frames alone may answer so: use --mode frame, or train it with several frames",
                    seen[0].frame.case_id,
                    len(seen),
                )
        return said

    @torch.inference_mode()
    def _draw(
        self, followed: SequenceTracker, position: int, frame: PreparedFrame, prompts: Sequence[str], *, prompted: bool
    ) -> tuple[FramePrediction, ...]:
        """The answer to each prompt on one frame."""
        answers = followed.answers(position, frame.square, prompted=prompted)
        if frame.alone is None:
            return answers
        alone = self._alone.predict([frame.alone], prompts)[0]
        return tuple(fused(one, other) for one, other in zip(alone, answers, strict=True))


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
        for frames in sequences:
            if stop.asked:
                return
            for outcome in predictor.outcomes(frames, prompts, readers):
                yield outcome
                if stop.asked:
                    return

    write_outcomes(outcomes, write, written, predictor.settings)


def _read(frames: Sequence[Frame], preparer: Any, readers: ThreadPoolExecutor) -> Iterator[Loaded]:
    """The frames in order, read a few ahead."""
    waiting: deque[Future] = deque()
    for frame in frames:
        waiting.append(readers.submit(load, frame, preparer))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _outcome(item: Loaded, work: Callable[[], tuple[FramePrediction, ...]], share: float) -> FrameResult:
    """The outcome of a frame that was read: what `work` gives, or why it has nothing.

    Args:
        share: seconds of the sequence's answer that count as this frame's.
    """
    if item.failure is not None:
        return FrameResult(item.frame, item.facts, item.failure, item.timing, item.source)
    start = time.perf_counter()
    found = _retry_on_oom(work)
    timing = {**item.timing, "predict_seconds": share + time.perf_counter() - start, "batch_size": 1}
    if isinstance(found, Exception):
        found = model_failure(found, item.frame)
        logger.warning("%s: %s (%s)", item.frame.case_id, found.status, found.message)
    return FrameResult(item.frame, item.facts, found, timing, item.source)


def _retry_on_oom(work: Callable[[], Any]) -> Any:
    """What `work` gives, or what the model raised; where memory was wanting, it is tried once more.

    Raises:
        VesselkitError: where the device itself failed.
    """
    for last in (False, True):
        try:
            return work()
        except torch.AcceleratorError as error:
            raise device_failure(error) from error
        except MODEL_ERRORS as error:
            failed = error.with_traceback(None)
        if last or not is_out_of_memory(failed):
            break
        empty_cache()
    return failed
