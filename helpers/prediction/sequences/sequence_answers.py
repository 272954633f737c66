"""Frames as sequences: their order, one answer for a sequence, and two answers made one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import grey_closing

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Mode
from helpers.data.frames.frame import Frame, in_sequences
from helpers.model.tracking import FrameFeatures, FrameMasks
from helpers.prediction.engine.dtypes import dtype_name, dtype_of
from helpers.prediction.predictor import FramePrediction
from helpers.prediction.resume import RecomputeReason
from helpers.runs.stored_maps import Upsampling

# Vessels are looked for on a grid of this side, and are narrower than this many of its pixels.
_SIDE = 256
_WIDEST = 15


@dataclass(frozen=True)
class SequenceAnswer:
    """What the language model said of a sequence: words, and the (S, H) states of their `[SEG]`."""

    text: str
    truncated: bool
    token_count: int
    tiles: int
    seg_states: torch.Tensor = field(repr=False)


class DrawnFrame:
    """Logits (S, h, w), predicted IoU (S,) and object score (S,) of a frame, on their way from the device."""

    def __init__(self, masks: FrameMasks):
        """Send them off; the device goes on meanwhile."""
        found = (masks.low_resolution, masks.predicted_iou.max(-1).values, masks.object_score)
        self._values = [values.float() for values in found]
        self._there = None
        if self._values[0].is_cuda:
            copies = [torch.empty(values.shape, pin_memory=True) for values in self._values]
            for copy, values in zip(copies, self._values, strict=True):
                copy.copy_(values, non_blocking=True)
            self._values, self._there = copies, torch.cuda.current_stream(values.device).record_event()

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All three as float32, once they are there."""
        if self._there is not None:
            self._there.synchronize()
        return tuple(values.numpy().copy() for values in self._values)


class SequenceTracker:
    """The `[SEG]` of all prompts followed together through one sequence."""

    def __init__(self, model: Any, said: Sequence[SequenceAnswer]):
        self._model = model
        self._said = said
        self._ends = np.cumsum([len(one.seg_states) for one in said], dtype=np.int64)
        states = [one.seg_states for one in said if len(one.seg_states)]
        self._tracker = model.tracker(torch.cat(states)) if states else None

    @property
    def follows(self) -> bool:
        """Whether there is anything to follow."""
        return self._tracker is not None

    def draw(self, position: int, features: FrameFeatures, *, prompted: bool) -> DrawnFrame | None:
        """The masks of the frame at a position, which a GPU may still compute; None where nothing is followed."""
        if self._tracker is None:
            return None
        return DrawnFrame((self._tracker.prompt if prompted else self._tracker.follow)(position, features))

    def answers(self, drawn: DrawnFrame | None, side: int) -> tuple[FramePrediction, ...]:
        """The answer to each prompt on a frame, from what `draw` gave.

        Args:
            side: of SAM2's input in pixels.
        """
        logits, iou, score = np.zeros((0, side // 4, side // 4), np.float32), *(np.zeros(0, np.float32),) * 2
        if drawn is not None:
            logits, iou, score = drawn.arrays()
        parts = zip(*(np.split(values, self._ends[:-1]) for values in (logits, iou, score)), strict=True)
        return tuple(
            FramePrediction(
                text=one.text,
                truncated=one.truncated,
                logits=maps,
                upsampling=Upsampling.SAM2_TWO_STEP,
                network_size=side,
                predicted_iou=estimates,
                object_score=scores,
                token_count=one.token_count,
                tiles=one.tiles,
                dtype=dtype_name(dtype_of(self._model).sam2),
            )
            for one, (maps, estimates, scores) in zip(self._said, parts, strict=True)
        )

    def turn_back(self) -> None:
        """Go from late frames to early ones from here on."""
        if self._tracker is not None:
            self._tracker.turn_back()


def fused(alone: FramePrediction, followed: FramePrediction) -> FramePrediction:
    """The mean of the logits of two answers with maps of one grid; several `[SEG]` of one are united first.

    Where one has no map, the other's stand. Words and tokens are those of `alone`.
    """
    if not len(alone.logits) or not len(followed.logits):
        mapped = alone if len(alone.logits) else followed
        return replace(
            alone, logits=mapped.logits, predicted_iou=mapped.predicted_iou, object_score=mapped.object_score
        )
    return replace(
        alone,
        logits=np.stack([alone.logits.max(axis=0), followed.logits.max(axis=0)]).mean(
            axis=0, keepdims=True, dtype=np.float32
        ),
        predicted_iou=_mean(alone.predicted_iou, followed.predicted_iou),
        object_score=_mean(alone.object_score, followed.object_score),
    )


def _mean(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    """The mean of the highest values, float32 (1,)."""
    if one is None or other is None:
        return None
    return np.array([(one.max() + other.max()) / 2], np.float32)


def first_frames(frames: Sequence[Frame], limit: int | None, mode: Mode) -> tuple[Frame, ...]:
    """The frames of a limited run, in the order given: the first ones; where sequences are followed, the first in time
    of the first sequences.
    """
    if mode is Mode.FRAME or limit is None:
        return tuple(frames)[:limit]
    in_time = [frame.case_id for group in in_sequences(frames, lambda frame: frame) for frame in group]
    wanted = set(in_time[:limit])
    return tuple(frame for frame in frames if frame.case_id in wanted)


def own_limit(frames: Sequence[Frame], limit: int | None) -> int | None:
    """The limit; None where it takes all frames, since such a run is one of the whole data set."""
    return None if limit is None or limit >= len(frames) else limit


def sequences_of(frames: Sequence[Frame]) -> tuple[tuple[Frame, ...], ...]:
    """The frames of each sequence in order of time, sequences in the order of their first frames.

    A frame without a sequence is one of its own.

    Raises:
        UsageProblem: where no two frames belong together.
    """
    groups = in_sequences(frames, lambda frame: frame)
    if all(len(group) == 1 for group in groups):
        raise UsageProblem(
            f"mode: expected sequences of several frames, found {len(groups)} single ones. Say with --group-by which "
            "frames belong together, or use --mode frame"
        )
    return groups


def whole_sequences(
    reasons: Mapping[str, RecomputeReason], sequences: Iterable[Sequence[Frame]], depending: frozenset[RecomputeReason]
) -> dict[str, RecomputeReason]:
    """The cases to compute, with all frames of a sequence of which one is computed for a reason in `depending`."""
    found = dict(reasons)
    for frames in sequences:
        if any(reasons.get(frame.case_id) in depending for frame in frames):
            found.update({frame.case_id: RecomputeReason.SEQUENCE for frame in frames if frame.case_id not in reasons})
    return found


def fullness(image: Image.Image) -> float:
    """How much dark, narrow structure a frame shows, in grey levels: it rises and falls with the contrast agent.

    Ribs, wires and a catheter add the same to all frames of a sequence, so that values compare within one.
    """
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
    return float((grey_closing(grey, size=(_WIDEST, _WIDEST)) - grey).mean())


def fullest(scores: Sequence[float | None], count: int) -> tuple[int, ...]:
    """Positions of the `count` highest scores, in order of time; the earlier of equals. None, not readable, is out."""
    ranked = sorted((-score, position) for position, score in enumerate(scores) if score is not None)
    return tuple(sorted(position for _, position in ranked[:count]))
