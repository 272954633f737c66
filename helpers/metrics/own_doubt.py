"""What a prediction's own map says about its mask, and whether the vessels that it missed lie where it was unsure.

The first needs no ground truth, the second compares with it.
"""

from dataclasses import dataclass

import numpy as np

from helpers.metrics.masks import as_mask

BRIGHT = 0.05
"""Share of a frame's pixels that are the bright part of a map."""


@dataclass(frozen=True)
class CaseDoubt:
    """What one case says of its own doubt.

    Attributes:
        expected_dice: as the function of this name; None without a map, and for the map of a hard mask.
        missed: pixels of the truth's centreline that the mask does not hold; None where shapes are open.
        in_spread: of these, how many lie in the bright part of the ensemble's spread; None without an ensemble.
        in_map: the same of the map's own doubt, p (1 - p); None as `expected_dice`.
    """

    expected_dice: float | None = None
    missed: int | None = None
    in_spread: float | None = None
    in_map: float | None = None


def expected_dice(probabilities: np.ndarray, mask: np.ndarray) -> float:
    """Dice of a mask with the truth, were each pixel a vessel with its probability, 0 .. 1.

    The ratio of the expected sums, which for thousands of pixels is the expectation of the ratio. An empty mask has a
    Dice of 1 or 0: it is the chance that there is no vessel, 1 less the highest probability, as of pixels that go
    together.

    Args:
        probabilities: float (H, W), 0 .. 1.
        mask: (H, W), as `as_mask` takes it.
    Raises:
        RefusedInput: as `as_mask`.
    """
    mask = as_mask("mask", mask)
    if not mask.any():
        return 1.0 - float(probabilities.max())
    total = float(probabilities.sum(dtype=np.float64)) + int(mask.sum())
    return 2.0 * float(probabilities[mask].sum(dtype=np.float64)) / total


def is_graded(values: np.ndarray) -> bool:
    """Whether a map (H, W) holds more than two values: that of a hard mask says nothing about how sure it is."""
    low, high = values.min(), values.max()
    return bool(((values != low) & (values != high)).any())


def own_doubt(probabilities: np.ndarray) -> np.ndarray:
    """Variance of each pixel's own answer, p (1 - p), float (H, W), 0 .. 0.25."""
    doubt: np.ndarray = probabilities * (1 - probabilities)
    return doubt


def in_bright_part(mask: np.ndarray, values: np.ndarray, share: float = BRIGHT) -> float:
    """How many pixels of a mask are among the brightest of a map.

    Of pixels as bright as the darkest of these, each counts for the part of them that the share still takes: a map
    without any differences takes 5 % of whatever is asked for.

    Args:
        mask: (H, W), as `as_mask` takes it.
        values: (H, W).
        share: of all pixels, that are the bright part.
    Raises:
        RefusedInput: as `as_mask`.
    """
    flat = values.ravel()
    count = max(1, round(share * flat.size))
    bright = flat[flat > flat.mean(dtype=np.float64)]  # most of a map is dark, and sorting takes longest
    bright = bright if bright.size >= count else flat
    edge = np.partition(bright, bright.size - count)[bright.size - count]
    above, level = flat > edge, flat == edge
    part = (count - int(above.sum())) / int(level.sum())
    wanted = as_mask("mask", mask).ravel()
    return float((above & wanted).sum() + part * (level & wanted).sum())
