"""What a user shows SAM2 of one object: points, a box, and the mask so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import interpolate
from transformers import Sam2VideoModel

from helpers.core.errors import UsageProblem

# SAM2's logits of a pixel that is, or is not, in a mask that people or programs drew.
SURE = 10.0
_BOX_CORNERS = (2, 3)  # labels of the first and the second corner, beside 0 and 1 of points


@dataclass(frozen=True)
class ClickPrompt:
    """One object, in pixels of the frame: (0, 0) is its first pixel, x grows to the right and y downwards.

    Attributes:
        points: (x, y) of each click, fractions allowed, also beyond the border.
        labels: of each click, 1 on the object and 0 beside it.
        box: (x1, y1, x2, y2) round the object; None without one.
        mask: bool (H, W), the mask so far at the frame's size; None without one.
        logits: float32 (h, w), `RefinedMask.low_resolution` of an earlier answer, in place of `mask`.
    """

    points: Sequence[Sequence[float]] = ()
    labels: Sequence[int] = ()
    box: Sequence[float] | None = None
    mask: np.ndarray | None = field(default=None, repr=False)
    logits: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if len(self.points) != len(self.labels) or any(label not in (0, 1) for label in self.labels):
            raise UsageProblem(
                f"labels: expected 1 or 0 for each of {len(self.points)} points, got {list(self.labels)}. 1 is on the "
                "object, 0 beside it"
            )
        if any(len(point) != 2 or not np.isfinite(point).all() for point in self.points):
            raise UsageProblem("points: expected pairs of x and y in pixels, got others")
        box = self.box
        if box is not None and (len(box) != 4 or not np.isfinite(box).all() or box[0] > box[2] or box[1] > box[3]):
            raise UsageProblem(f"box: expected x1, y1, x2, y2 with x1 <= x2 and y1 <= y2, got {list(box)}")
        if self.mask is not None and self.logits is not None:
            raise UsageProblem("mask: goes without logits, and both were given. Leave one of them out")
        if not len(self.points) and box is None and self.mask is None and self.logits is None:
            raise UsageProblem("expected a click, a box or a mask to go by, got none")

    @property
    def is_one_click(self) -> bool:
        """Whether one point is all there is, which may mean several things: a vessel, its tree, a part of it."""
        return len(self.points) == 1 and self.box is None and self.mask is None and self.logits is None


class EncodedPrompt(NamedTuple):
    """A prompt as the mask decoder takes it.

    Attributes:
        sparse: (1, 1, n, D) tokens; n is 0 for a mask alone.
        dense: (1, D, h, w).
    """

    sparse: torch.Tensor
    dense: torch.Tensor


def mask_logits(mask: np.ndarray, side: int) -> torch.Tensor:
    """A mask at the frame's size as a mask prompt, float32 (1, 1, side, side), -10 outside and 10 inside.

    It is made small as SAM2 does it with masks of sequences: a vessel thinner than a cell leaves its share in it. Of
    the masks of real angiograms, brought back to their size, 0.03 % of the Dice is lost; 10 % with the nearest pixels.
    """
    values = torch.from_numpy(np.ascontiguousarray(mask)).float()[None, None] * (2 * SURE) - SURE
    return interpolate(values, size=(side, side), mode="bilinear", align_corners=False, antialias=True)


def encode_prompt(sam2: Sam2VideoModel, prompt: ClickPrompt, height: int, width: int) -> EncodedPrompt:
    """Tokens and map of a prompt, as SAM 2.0's predictor of images makes them, in the dtype of SAM2.

    The corners of a box come first, then the points; the padding point is last. A mask alone has no token at all.

    Args:
        height, width: of the frame.
    Raises:
        UsageProblem: for a mask of another size than the frame's, or logits of another size than SAM2's.
    """
    encoder: Any = sam2.prompt_encoder
    weight = encoder.no_mask_embed.weight
    side = encoder.mask_input_size[0]
    given = None
    if prompt.mask is not None:
        if prompt.mask.shape != (height, width) or prompt.mask.dtype != np.bool_:
            raise UsageProblem(
                f"mask: expected bool ({height}, {width}) as the frame is, got {prompt.mask.dtype} {prompt.mask.shape}"
            )
        given = mask_logits(prompt.mask, side)
    elif prompt.logits is not None:
        if prompt.logits.shape != (side, side):
            raise UsageProblem(f"logits: expected ({side}, {side}) as an answer has, got {prompt.logits.shape}")
        given = torch.from_numpy(np.array(prompt.logits, np.float32))[None, None]
    given = None if given is None else given.to(weight)
    corners = [] if prompt.box is None else [tuple(prompt.box[:2]), tuple(prompt.box[2:])]
    places = [*corners, *map(tuple, prompt.points)]
    if not places:
        _, dense = encoder(None, None, None, given)
        return EncodedPrompt(dense.new_zeros((1, 1, 0, dense.shape[1])), dense)
    labels = [*(_BOX_CORNERS if corners else ()), *prompt.labels]
    scale = torch.tensor([width, height], dtype=torch.float32)
    points = torch.tensor(places, dtype=torch.float32) / scale * encoder.input_image_size
    sparse, dense = encoder(
        points[None, None].to(weight.device), torch.tensor(labels, device=weight.device)[None, None], None, given
    )
    return EncodedPrompt(sparse.to(weight), dense)
