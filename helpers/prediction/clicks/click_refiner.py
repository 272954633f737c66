"""From clicks to masks: SAM2 reads a frame once, and answers each prompt about it."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from helpers.core.errors import UsageProblem
from helpers.data.frames.frame_source import pixel_sha256
from helpers.model.components import Sam2Features
from helpers.model.given_image import one_picture
from helpers.model.image_mode import given_as_rgb
from helpers.model.mask_decoding import compute_wide
from helpers.prediction.clicks.click_prompt import ClickPrompt, encode_prompt
from helpers.prediction.engine.sam2_part import Sam2Part, load_sam2_part

# Frames whose features are kept: one goes to and fro between neighbours. Of the largest model about 16 MB each.
FRAMES_KEPT = 8
# What goes back in as a mask prompt ends there, as in SAM2's predictor of images.
_LIMIT = 32.0


@dataclass(frozen=True)
class RefinedMask:
    """SAM2's answer to one prompt: one mask, or three for a single click.

    Attributes:
        logits: float32 (n, H, W) at the frame's size; a mask is where they are above 0.
        predicted_iou: float32 (n,), SAM2's own estimates, 0 .. 1.
        low_resolution: float32 (n, h, w) within -32 .. 32, to go on from.
        object_score: logit that an object is there at all. It is told, and blanks no mask.
    """

    logits: np.ndarray = field(repr=False)
    predicted_iou: np.ndarray
    low_resolution: np.ndarray = field(repr=False)
    object_score: float

    @property
    def best(self) -> int:
        """Which candidate has the highest estimate."""
        return int(self.predicted_iou.argmax())

    @property
    def mask(self) -> np.ndarray:
        """The best candidate, bool (H, W)."""
        return self.logits[self.best] > 0


@dataclass(frozen=True)
class OpenedFrame:
    """A frame that SAM2 has read."""

    height: int
    width: int
    features: Sam2Features = field(repr=False)


class ClickRefiner:
    """Answers clicks with the SAM2 of a model, on its device and in its dtype. One thread at a time.

    Example:
        >>> refiner = ClickRefiner.load("my-model", device="cpu")
        >>> frame = refiner.open("frames/a.png")
        >>> first = refiner.refine(frame, ClickPrompt([(40, 20)], [1]))
        >>> going_on = first.low_resolution[first.best]
        >>> second = refiner.refine(frame, ClickPrompt([(40, 20), (9, 9)], [1, 0], logits=going_on))
    """

    def __init__(self, part: Sam2Part):
        """Wrap the SAM2 of a model."""
        self._part = part
        self._kept: OrderedDict[str, OpenedFrame] = OrderedDict()

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto", dtype: str = "auto") -> "ClickRefiner":
        """The refiner of a folder that `convert` wrote; arguments and errors as of `load_sam2_part`."""
        return cls(load_sam2_part(Path(folder), device, dtype))

    @property
    def identity(self) -> Any:
        """JSON object that says which weights answer."""
        return self._part.identity

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._part.device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self._part.dtype

    def forget(self) -> None:
        """Let all frames go that were read."""
        self._kept.clear()

    @torch.inference_mode()
    def open(self, image: Any) -> OpenedFrame:
        """Read a frame, given as `predict_forward` takes images; the last `FRAMES_KEPT` need not be read again.

        Raises ValueError for what is no image.
        """
        (image,) = given_as_rgb([one_picture(image)])
        key = pixel_sha256(image)
        if key not in self._kept:
            features = encode_pixels(self._part, self._part.pixels(image))
            self._kept[key] = OpenedFrame(image.height, image.width, features)
            if len(self._kept) > FRAMES_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def answer(
        self,
        image: Any,
        *,
        points: Sequence[Sequence[float]] = (),
        labels: Sequence[int] = (),
        box: Sequence[float] | None = None,
        mask: np.ndarray | None = None,
        logits: np.ndarray | None = None,
    ) -> RefinedMask:
        """`open` and `refine` in one, for who knows no prompt but its parts; see `ClickPrompt`."""
        return self.refine(self.open(image), ClickPrompt(points, labels, box, mask, logits))

    @torch.inference_mode()
    def refine(self, frame: OpenedFrame, prompt: ClickPrompt, *, several: bool | None = None) -> RefinedMask:
        """Masks of one object.

        Args:
            several: whether SAM2 gives its three candidates, in its own order, in place of its single mask. None does
                so for one click alone. Where the single mask is not stable, it is the best of the three.
        Raises:
            UsageProblem: as `encode_prompt`, and where the numbers overflow SAM2's dtype.
        """
        sam2 = self._part.sam2
        sparse, dense = encode_prompt(sam2, prompt, frame.height, frame.width)
        embedding = frame.features.embedding
        if embedding.dtype is torch.float16:
            compute_wide(sam2.mask_decoder.transformer)
        masks, iou, _, score = sam2.mask_decoder(
            image_embeddings=embedding,
            image_positional_embeddings=sam2.get_image_wide_positional_embeddings().to(embedding),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=prompt.is_one_click if several is None else several,
            high_resolution_features=list(frame.features.high_resolution),
        )
        low = masks[0].float()
        if not torch.isfinite(low).all():
            raise UsageProblem(f"dtype: SAM2's numbers overflow {embedding.dtype}. Use dtype float32")
        full = interpolate(low, size=(frame.height, frame.width), mode="bilinear", align_corners=False)
        return RefinedMask(
            full[0].cpu().numpy(),
            iou[0, 0].float().cpu().numpy(),
            low[0].clamp(-_LIMIT, _LIMIT).cpu().numpy(),
            float(score.flatten()[0]),
        )


def encode_pixels(part: Sam2Part, pixels: torch.Tensor) -> Sam2Features:
    """SAM2's features of network input (1, 3, side, side)."""
    stride_4, stride_8, stride_16 = part.sam2.get_image_embeddings(pixels)
    return Sam2Features(stride_16, (stride_4, stride_8))
