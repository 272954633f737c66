"""What a score is to be held against: what the model's grid can hold, and two masks that show nothing."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from PIL import Image

from helpers.data.ignored import as_it_is
from helpers.evaluation.aggregation import patient_means, unit_columns
from helpers.evaluation.mask import as_mask
from helpers.evaluation.overlap import count_pixels, dice

# The mask decoder gives logits on this grid, whatever the frame's size; they are then enlarged bilinearly.
GRID = 256


@dataclass(frozen=True)
class Yardsticks:
    """Dice, 0 .. 1, that one case's ground truth gives.

    Attributes:
        ceiling: to the ground truth itself, passed down to the model's grid and back: what averaging over cells keeps.
            A yardstick and no strict bound, since logits can place an edge inside a cell.
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


def yardsticks(truth: np.ndarray, kept: Callable = as_it_is) -> Yardsticks:
    """The yardsticks of one case. Raises RefusedInput as `as_mask`.

    Args:
        truth: mask (H, W).
        kept: leaves pixels that are not scored out of an array, as `scored_pixels` does.
    """
    truth = as_mask("truth", truth)
    masks = (through_grid(truth), np.zeros_like(truth), np.ones_like(truth))
    return Yardsticks(*(dice(count_pixels(kept(truth), kept(mask))) for mask in masks))


def yardstick_means(listed: pd.DataFrame, scores: pd.DataFrame) -> dict[str, float]:
    """The mean of each yardstick, averaged like the scores: over cases, sequences, then patients.

    Args:
        listed: columns case_id and the fields of `Yardsticks`.
        scores: table of scores of the same cases; it says which patient and sequence each belongs to.
    """
    names = [field.name for field in fields(Yardsticks)]
    keyed = scores[unit_columns(scores)].merge(listed, on="case_id", validate="one_to_one")
    return {name: float(mean) for name, mean in patient_means(keyed, names)[names].mean().items()}
