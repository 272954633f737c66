"""Predictors: Sa2VA, or anything else that turns frames into logits. They never see ground truth."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.runs.stored_maps import Upsampling

DEFAULT_PROMPT = "Please segment the blood vessels."
# Signs of Sa2VA and of the chat templates. As text they become the model's own tokens: places of image tokens that no
# image fills, answers that nobody gave, the end of a turn.
_SIGNS = re.compile(r"<IMG_CONTEXT>|</?(?:img|vp|p)>|\[SEG\]|<\|[^<>|\s]+\|>")
_IMAGE = "<image>"
_SHOWN = 80  # characters of a prompt in a message


@dataclass(frozen=True)
class FramePrediction:
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
        dtype: in which the maps were drawn, such as `float16`; None where there is none to tell.
        members: answers to the same question about the frame seen otherwise, on the same grid; () for none.
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
    dtype: str | None = None
    members: tuple["FramePrediction", ...] = field(default=(), repr=False)


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

    def predict(self, prepared: Sequence[Any], prompts: Sequence[str]) -> list[list[FramePrediction]]:
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


@runtime_checkable
class AsksEach(Predictor, Protocol):
    """A predictor that takes a batch whose frames have prompts of their own; of others such frames are asked apart."""

    def predict_each(self, prepared: Sequence[Any], prompts: Sequence[Sequence[str]]) -> list[list[FramePrediction]]:
        """As `predict`, with the prompts of each frame, at least one."""


def with_image_named(text: str) -> str:
    """A prompt as models were trained to read it: `<image>` and a line break in front where it names no image.

    Bare words are another prompt to the Qwen families, which keep the line break and take `<image>` out.
    """
    return text if _IMAGE in text else f"{_IMAGE}\n{text}"


def check_prompt(text: str, what: str = "prompt") -> None:
    """Raise UsageProblem where no model can answer a prompt.

    Args:
        text: the user's words; `<image>` may stand once for the image.
        what: names the prompt in the message.
    """
    shown = text.encode("utf-8", "backslashreplace").decode()
    shown = repr(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageProblem(
            f"{what}: expected a text in UTF-8, got other bytes in {shown}. Type it again, or save its file as UTF-8"
        ) from error
    if not text.replace(_IMAGE, "").strip():
        raise UsageProblem(f"{what}: expected words such as {DEFAULT_PROMPT!r}, got none in {shown}")
    if text.count(_IMAGE) > 1:
        raise UsageProblem(
            f"{what}: expected {_IMAGE} at most once, since one image is given, got it {text.count(_IMAGE)} times in "
            f"{shown}. Leave it out: it is put in front"
        )
    sign = _SIGNS.search(text)
    if sign is not None:
        raise UsageProblem(
            f"{what}: expected words, got the model's own sign {sign[0]} in {shown}. Leave it out: "
            "the kit adds what the model needs of these"
        )


def check_prompts(prompts: Sequence[str], what: str = "prompt") -> None:
    """Raise UsageProblem where there is no prompt, one comes twice, or `check_prompt` refuses one."""
    if not prompts:
        raise UsageProblem(f"{what}: expected a text such as {DEFAULT_PROMPT!r}, got none")
    for prompt in prompts:
        check_prompt(prompt, what)
    if len(set(prompts)) < len(prompts):
        raise UsageProblem(f"{what}: expected each text once, got one twice. Leave it out")
