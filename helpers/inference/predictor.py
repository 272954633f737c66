"""What predicts: Sa2VA, or anything else that turns frames into logits. It never sees ground truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from helpers.runs.logits import Upsampling


@dataclass(frozen=True)
class Answer:
    """What was predicted for one frame and one prompt.

    Attributes:
        text: the answer, special tokens included; None for a predictor that gives none.
        truncated: whether the answer reached the token limit before its end.
        logits: float32 (n, h, w) on the predictor's own grid, one map for each `[SEG]`; n may be 0.
        upsampling: how `logits` become maps of the frame's size.
        network_size: side of the square network input in pixels, between the two steps of `SAM2_TWO_STEP`; None for
            other rules.
        predicted_iou: float (n,), SAM2's own estimate for the map that it chose, 0 .. 1; None where there is none.
        object_score: float (n,), logit that an object is there at all; None where there is none.
        token_count: number of new tokens; None where there are none.
        tiles: number of tiles that the vision tower saw; None where there are none.
        drafted: whether the text was foreseen and only checked, which is faster and gives the same.
    """

    text: str | None
    truncated: bool
    logits: np.ndarray = field(repr=False)
    upsampling: Upsampling
    network_size: int | None = None
    predicted_iou: np.ndarray | None = None
    object_score: np.ndarray | None = None
    token_count: int | None = None
    tiles: int | None = None
    drafted: bool = False


class Predictor(Protocol):
    """Predicts batches of frames for one or several prompts.

    `prepare` runs on reader threads, several at a time, and does all that needs no device; `predict` runs on one
    thread and may use the device.
    """

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON object that says which weights these are; equal identities mean equal predictions."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON object of what else decides the predictions: device type, dtype, token limit."""

    def prepare(self, image: Image.Image) -> Any:
        """The inputs of one frame (mode RGB, any size)."""

    def predict(self, prepared: Sequence[Any], prompts: Sequence[str]) -> list[list[Answer]]:
        """Answers of a batch: one list for each frame, with one answer for each prompt.

        Features of a frame are computed once however many prompts there are. The result depends only on the batch,
        but for `drafted`.

        Raises:
            torch.OutOfMemoryError: where the batch does not fit; the caller halves it.
            RuntimeError, ValueError: from the model itself.
        """


@runtime_checkable
class Gathers(Predictor, Protocol):
    """A predictor that brings a batch to the device while an earlier one is predicted."""

    def gather(self, prepared: Sequence[Any]) -> Sequence[Any]:
        """The inputs of a batch, each such as `predict` takes in its place; on one thread at a time.

        Raises:
            RuntimeError, ValueError: as `predict`, which gets the inputs as they were.
        """
