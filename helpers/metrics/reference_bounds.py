"""Reference bounds of a score: the best that the model's grid can hold, and two masks that show nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from helpers.data.cases import as_it_is
from helpers.metrics.masks import as_mask
from helpers.metrics.overlap import count_pixels, dice

# The mask decoder gives logits on this grid, whatever the frame's size; they are then enlarged bilinearly.
GRID = 256


@dataclass(frozen=True)
class ReferenceBounds:
    """Dice, 0 .. 1, that one case's ground truth gives.

    Attributes:
        ceiling: to the ground truth itself, passed down to the model's grid and back: what averaging over cells keeps.
            A reference bound and no strict bound, since logits can place an edge inside a cell.
        all_empty: to a mask without a pixel.
        all_foreground: to a mask of all pixels.
    """

    ceiling: float
    all_empty: float
    all_foreground: float


def through_grid(mask: np.ndarray, grid: int = GRID) -> np.ndarray:
    """A mask (H, W) as it comes back from the grid, bool.

    Each cell takes the share of its area that is in the mask; the shares are enlarged bilinearly and cut at one half.
    Raises RefusedInput as `as_mask`.
    """
    mask = as_mask("mask", mask)
    height, width = mask.shape
    cells = Image.fromarray(mask.astype(np.float32)).resize((grid, grid), Image.Resampling.BOX)
    return np.asarray(cells.resize((width, height), Image.Resampling.BILINEAR)) > 0.5


def reference_bounds(truth: np.ndarray, kept: Callable[..., Any] = as_it_is) -> ReferenceBounds:
    """The reference bounds of one case. Raises RefusedInput as `as_mask`.

    Args:
        truth: mask (H, W).
        kept: leaves pixels that are not scored out of an array, as `scored_pixels` does.
    """
    truth = as_mask("truth", truth)
    masks = (through_grid(truth), np.zeros_like(truth), np.ones_like(truth))
    return ReferenceBounds(*(dice(count_pixels(kept(truth), kept(mask))) for mask in masks))
