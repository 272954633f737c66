"""Pieces and holes of two masks.

The foreground is 8-connected and the background 4-connected, so that a diagonal line is one piece and encloses what a
closed diagonal line encloses. Nothing is cleaned first: an island of one pixel counts.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import generate_binary_structure, label

from helpers.metrics.masks import as_mask, as_masks

_EIGHT = generate_binary_structure(2, 2)
_FOUR = generate_binary_structure(2, 1)


@dataclass(frozen=True)
class BettiNumbers:
    """`pieces` (Betti-0): connected parts of the mask. `holes` (Betti-1): parts of the background that it encloses."""

    pieces: int
    holes: int


def betti_numbers(mask: np.ndarray) -> BettiNumbers:
    """Betti numbers of a mask (H, W). What lies outside the array is background, so no hole touches its edge.

    Raises RefusedInput as `as_mask`.
    """
    padded = np.pad(as_mask("mask", mask), 1)
    return BettiNumbers(pieces=label(padded, _EIGHT)[1], holes=label(~padded, _FOUR)[1] - 1)


def topology_scores(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """`betti0_error` and `betti1_error`: absolute differences of the numbers of pieces and of holes, 0 or more.

    Raises RefusedInput as `as_mask`, and for two shapes.
    """
    truth, prediction = as_masks(truth=truth, prediction=prediction)
    expected, predicted = betti_numbers(truth), betti_numbers(prediction)
    return {
        "betti0_error": float(abs(predicted.pieces - expected.pieces)),
        "betti1_error": float(abs(predicted.holes - expected.holes)),
    }
