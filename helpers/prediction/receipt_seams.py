"""A model's own calls on the frames of a receipt, seam by seam in the order of the computation.

Shapes: S number of `[SEG]`, H language width, D SAM2 width, h and w the low resolution of a mask.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import max_pool2d

from helpers.checkpoints.receipt.receipt_file import Fingerprint, FrameReceipt, Receipt
from helpers.checkpoints.receipt.receipt_script import Watch, fingerprint
from helpers.core.shown_text import counted
from helpers.model.bridge import bridge_of
from helpers.model.processing_sa2va import upsample_logits


class Seam(StrEnum):
    """Where two computations may part, the first in the order of the computation."""

    PIXELS = "pixels"
    PROMPT = "prompt"
    SQUARE = "square"
    TOWER = "tower"
    ANSWER = "answer"
    SEG = "seg"
    PROJECTION = "projection"
    MASK = "mask"

    @property
    def words(self) -> str:
        """For a person."""
        return _SEAMS[self]


_SEAMS = {
    Seam.PIXELS: "the inputs, the pixels that the vision tower sees",
    Seam.PROMPT: "the inputs, the ids of the prompt",
    Seam.SQUARE: "the inputs, the pixels that SAM2 sees",
    Seam.TOWER: "the vision tower's tokens",
    Seam.ANSWER: "the language model, the ids of its answer",
    Seam.SEG: "the language model, its state at [SEG]",
    Seam.PROJECTION: "the projection of [SEG]",
    Seam.MASK: "the mask",
}


@dataclass(frozen=True)
class SeamTolerance:
    """Largest differences, relative to the norm of what the receipt has.

    Attributes:
        pixels: of inputs.
        states: of visual tokens, of states at `[SEG]` and of their projections.
        logits: of low-resolution masks.
        iou: absolute, of predicted IoU between candidates of which either may be chosen.
        margin: of a full-size logit from 0, over the logits around it, from which its sign tells the mask's pixel.
    """

    pixels: float
    states: float
    logits: float
    iou: float
    margin: float


# On a processor float32 differs in the order of sums alone. GPUs may compute convolutions in TF32, of 10 bits. A dtype
# of 16 bits differs by a few per cent behind dozens of layers; a wrong state, base or template by far more.
_EXACT = SeamTolerance(1e-5, 1e-3, 1e-3, 1e-3, 1e-3)
_GPU = SeamTolerance(1e-5, 1e-2, 1e-2, 1e-2, 1e-3)
_NARROW = SeamTolerance(1e-2, 0.1, 0.1, 0.05, 2e-2)

_STRIDE = 4  # of the low resolution of masks, in pixels of SAM2's square


def tolerance_for(receipt: Receipt, dtypes: Collection[str], device: str) -> SeamTolerance:
    """What may differ between a receipt and a model here.

    The official code draws masks in bfloat16 on a GPU, whatever the model's dtype.

    Args:
        dtypes: in which the model is stored and computes, such as `bfloat16`.
        device: its type, such as `cuda`.
    """
    if {receipt.dtype, *dtypes} != {"float32"}:
        return _NARROW
    if receipt.device == device == "cpu":
        return _EXACT
    masks = _NARROW if receipt.device == "cuda" else _GPU
    return SeamTolerance(_GPU.pixels, _GPU.states, masks.logits, masks.iou, masks.margin)


@dataclass(frozen=True)
class Computed:
    """One call of the model, as `FrameReceipt`, but for the masks.

    Attributes:
        candidates: (S, 3, h, w) logits, of which the one of highest predicted IoU is the mask.
        masks: (S, height, width) bool.
    """

    pixels: Fingerprint
    square: Fingerprint | None
    tower: Fingerprint
    prompt_ids: Sequence[int]
    answer_ids: Sequence[int]
    states: np.ndarray = field(repr=False)
    projected: np.ndarray = field(repr=False)
    candidates: np.ndarray = field(repr=False)
    ious: np.ndarray = field(repr=False)
    masks: np.ndarray = field(repr=False)


def compute(model: Any, tokenizer: Any, image: Image.Image, prompt: str) -> Computed:
    """Call a model and note what passes its seams.

    Args:
        model: a `Sa2VAModel` in evaluation mode.
        image: RGB.
        prompt: the user's words, without `<image>`.
    """
    with torch.inference_mode(), Watch(model) as seen:
        found = model.predict(image, _text(prompt), tokenizer=tokenizer)
    assert seen.pixels is not None and seen.tower is not None  # an image was given
    return Computed(
        Fingerprint.of(*fingerprint(seen.pixels)),
        None if seen.square is None else Fingerprint.of(*fingerprint(seen.square)),
        Fingerprint.of(*fingerprint(seen.tower)),
        _prompt_ids(model, tokenizer, image, prompt),
        found.answer.token_ids,
        found.answer.seg_states.float().cpu().numpy(),
        np.array(seen.projected, np.float32),
        np.array(seen.masks, np.float32),
        np.array(seen.ious, np.float32),
        (found.logits.float().sigmoid() > 0.5).cpu().numpy(),
    )


def _text(prompt: str) -> str:
    """The words as the script of the receipt gives them to the official code."""
    return f"<image>\n{prompt}"


def _prompt_ids(model: Any, tokenizer: Any, image: Image.Image, prompt: str) -> list[int]:
    bridge = bridge_of(model)
    return bridge.prompt_ids(tokenizer, _text(prompt), "", bridge.image_tokens(bridge.image_bytes(image)))


@dataclass(frozen=True)
class FrameComparison:
    """One frame.

    Attributes:
        seam: the first that differs; None where none does.
        detail: what differs there, for a person.
        segments: number of `[SEG]` whose states were compared.
        seg_difference: largest absolute difference at `[SEG]`; None where none was compared.
        mask_pixels: that differ, of `pixels`; None where no masks were compared.
    """

    seam: Seam | None
    detail: str = ""
    segments: int = 0
    seg_difference: float | None = None
    mask_pixels: int | None = None
    pixels: int = 0


def compare_frame(official: FrameReceipt, ours: Computed, tolerance: SeamTolerance) -> FrameComparison:
    """Compare one call, up to the first seam that differs."""
    early = _inputs(official, ours, tolerance) or _words(official, ours, tolerance)
    if early is not None:
        return early
    if len(official.states) != len(ours.states):
        return FrameComparison(Seam.SEG, f"{len(official.states)} [SEG] in the receipt, {len(ours.states)} here")
    if not len(official.states):  # a file does not say how wide none are
        return FrameComparison(None)
    if official.states.shape != ours.states.shape:
        widths = f"{counted(official.states.shape[1], 'value')} in the receipt, {ours.states.shape[1]} here"
        return FrameComparison(Seam.SEG, widths)
    for states, where in ((official.states, "in the receipt"), (ours.states, "here")):
        if not np.isfinite(states).all():
            return FrameComparison(Seam.SEG, f"numbers that are not finite {where}, as of an overflowing dtype")
    difference = float(np.abs(official.states - ours.states).max())
    seen: dict[str, Any] = {"segments": len(official.states), "seg_difference": difference}
    relative = _relative(official.states, ours.states)
    if not relative <= tolerance.states:
        return FrameComparison(Seam.SEG, _numbers(relative, tolerance.states), **seen)
    relative = _relative(official.projected, ours.projected)
    if not relative <= tolerance.states:
        return FrameComparison(Seam.PROJECTION, _numbers(relative, tolerance.states), **seen)
    return _masks(official, ours, tolerance, seen)


def _inputs(official: FrameReceipt, ours: Computed, tolerance: SeamTolerance) -> FrameComparison | None:
    relative = official.pixels.relative(ours.pixels)
    if relative > tolerance.pixels:
        shapes = f"shape {official.pixels.shape} in the receipt, {ours.pixels.shape} here"
        return FrameComparison(Seam.PIXELS, f"{shapes}; {_numbers(relative, tolerance.pixels)}")
    if list(official.prompt_ids) != list(ours.prompt_ids):
        advice = "another chat template, tokenizer or image size"
        return FrameComparison(Seam.PROMPT, f"{_parting(official.prompt_ids, ours.prompt_ids)}: {advice}")
    if official.square is not None and ours.square is not None:
        relative = official.square.relative(ours.square)
        if relative > tolerance.pixels:
            return FrameComparison(Seam.SQUARE, _numbers(relative, tolerance.pixels))
    return None


def _words(official: FrameReceipt, ours: Computed, tolerance: SeamTolerance) -> FrameComparison | None:
    relative = official.tower.relative(ours.tower)
    if relative > tolerance.states:
        return FrameComparison(Seam.TOWER, _numbers(relative, tolerance.states))
    if len(official.answer_ids) and list(official.answer_ids) != list(ours.answer_ids):
        return FrameComparison(Seam.ANSWER, _parting(official.answer_ids, ours.answer_ids))
    return None


def _masks(official: FrameReceipt, ours: Computed, tolerance: SeamTolerance, seen: dict[str, Any]) -> FrameComparison:
    """Masks by the logits of the candidates that the official model chose."""
    rows = np.arange(len(official.best))
    if len(ours.candidates) != len(rows):
        return FrameComparison(
            Seam.MASK, f"{counted(len(rows), 'mask')} in the receipt, {len(ours.candidates)} here", **seen
        )
    if official.masks is not None and official.masks.shape == ours.masks.shape:
        seen |= {"mask_pixels": int((official.masks ^ ours.masks).sum()), "pixels": official.masks.size}
    relative = _relative(official.logits, ours.candidates[rows, official.best])
    if not relative <= tolerance.logits:
        return FrameComparison(Seam.MASK, f"logits: {_numbers(relative, tolerance.logits)}", **seen)
    gap = float((ours.ious.max(-1) - ours.ious[rows, official.best]).max())
    if gap > tolerance.iou:
        return FrameComparison(Seam.MASK, f"another candidate is chosen, by {gap:.2g} in predicted IoU", **seen)
    if official.masks is not None:
        if len(official.masks) != len(rows):
            return FrameComparison(
                Seam.MASK, f"{counted(len(official.masks), 'mask')} of {len(rows)} [SEG] in the receipt", **seen
            )
        count = _contradicted(official, official.masks, tolerance.margin)
        if count:
            told = f"{count} of {official.masks.size} pixels of the receipt's masks contradict its own logits"
            return FrameComparison(Seam.MASK, f"{told}: another threshold, or another resize of masks", **seen)
    return FrameComparison(None, **seen)


def _contradicted(official: FrameReceipt, masks: np.ndarray, margin: float) -> int:
    """Pixels of masks (S, height, width) that are not what the receipt's logits make of them, where these tell."""
    low = torch.from_numpy(official.logits)
    around = max_pool2d(low.abs(), 3, stride=1, padding=1)
    logits, scale = (
        upsample_logits(one, _STRIDE * low.shape[-1], official.height, official.width) for one in (low, around)
    )
    return int(((logits.abs() > margin * scale) & ((logits > 0) != torch.from_numpy(masks))).sum())


def _relative(official: np.ndarray, ours: np.ndarray) -> float:
    """Norm of the difference over that of the first; infinity for other shapes."""
    if official.shape != ours.shape:
        return np.inf
    return float(np.linalg.norm(official - ours) / max(np.linalg.norm(official), np.finfo(np.float32).tiny))


def _numbers(relative: float, tolerance: float) -> str:
    return f"relative difference {relative:.2g}, tolerance {tolerance:g}"


def _parting(official: Sequence[int], ours: Sequence[int]) -> str:
    """Where two lists of ids part."""
    place = next((at for at, (one, two) in enumerate(zip(official, ours, strict=False)) if one != two), None)
    if place is None:
        return f"{counted(len(official), 'id')} in the receipt, {len(ours)} here, equal as far as both go"
    return f"they part at place {place} ({official[place]} in the receipt, {ours[place]} here)"
