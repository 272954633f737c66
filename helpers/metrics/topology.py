"""Whether the vessel tree hangs together: clDice, broken branches, recall by calibre, and pieces and holes.

clDice and branches go by centrelines. For pieces and holes the foreground is 8-connected and the background
4-connected, so that a diagonal line is one piece and encloses what a closed diagonal line encloses. Nothing is cleaned
first: an island of one pixel counts.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.ndimage import label
from skimage.morphology import skeletonize

from helpers.metrics.empties import decided_value
from helpers.metrics.masks import EIGHT_NEIGHBOURS, as_mask, as_masks
from helpers.metrics.nearest_pixels import nearest_distances, nearest_pixels

# Another method moves clDice by about 0.01, so that the method is part of the metric's definition.
SKELETON_METHOD = "zhang"

# Shorter stretches are the width of a brush: ends of centrelines move that much with the outline.
SHORTEST_GAP_PX = 3


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
    pieces = label(padded, EIGHT_NEIGHBOURS)[1]
    return BettiNumbers(pieces=pieces, holes=pieces - _euler_number(padded))


def _euler_number(padded: np.ndarray) -> int:
    """Pieces less holes of a mask (H, W) with background on all four sides: corners less sides plus pixels."""
    beside, below = padded[:, :-1] | padded[:, 1:], padded[:-1] | padded[1:]
    corners = beside[:-1] | beside[1:]
    return int(
        np.count_nonzero(corners) - np.count_nonzero(beside) - np.count_nonzero(below) + np.count_nonzero(padded)
    )


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


def skeleton(mask: np.ndarray) -> np.ndarray:
    """The centreline of a mask (H, W), bool: one pixel wide, 8-connected, inside the mask; empty for an empty mask.

    Raises RefusedInput as `as_mask`.
    """
    return np.asarray(skeletonize(as_mask("mask", mask), method=SKELETON_METHOD), bool)


def centreline_scores(
    truth: np.ndarray, prediction: np.ndarray, truth_skeleton: np.ndarray, prediction_skeleton: np.ndarray
) -> dict[str, float]:
    """`cldice`, `topology_precision` and `topology_sensitivity`, 0 .. 1.

    Topology precision is the share of the prediction's centreline that lies inside the ground truth; topology
    sensitivity is the share of the ground truth's centreline that lies inside the prediction; clDice is their
    harmonic mean.

    Args:
        truth, prediction: masks (H, W).
        truth_skeleton, prediction_skeleton: their centrelines from `skeleton`, masks (H, W).
    Raises:
        RefusedInput: as `as_mask`, and for several shapes.
    """
    truth, prediction, truth_skeleton, prediction_skeleton = as_masks(
        truth=truth,
        prediction=prediction,
        truth_skeleton=truth_skeleton,
        prediction_skeleton=prediction_skeleton,
    )
    empty = {"truth_empty": not truth_skeleton.any(), "prediction_empty": not prediction_skeleton.any()}
    if any(empty.values()):
        names = ("cldice", "topology_precision", "topology_sensitivity")
        return {name: decided_value(name, **empty) for name in names}
    precise = np.count_nonzero(prediction_skeleton & truth) / np.count_nonzero(prediction_skeleton)
    sensitive = np.count_nonzero(truth_skeleton & prediction) / np.count_nonzero(truth_skeleton)
    both = 2 * precise * sensitive / (precise + sensitive) if precise + sensitive else 0.0
    return {"cldice": both, "topology_precision": precise, "topology_sensitivity": sensitive}


class Calibre(StrEnum):
    """Classes of local vessel width in pixels of the frame."""

    THIN = "thin"
    MEDIUM = "medium"
    THICK = "thick"


# Widths from which a vessel is of the class.
CALIBRE_FROM_PX = {Calibre.THIN: 0.0, Calibre.MEDIUM: 5.0, Calibre.THICK: 10.0}


def branch_labels(skeleton: np.ndarray) -> np.ndarray:
    """Number the branches of a centreline.

    A branch is a connected part of the centreline between junctions; a junction is a pixel of the centreline with more
    than two neighbours on it, and belongs to no branch.

    Args:
        skeleton: mask (H, W), one pixel wide.
    Returns:
        int32 (H, W): 0 outside branches, then 1 .. n.
    Raises:
        RefusedInput: as `as_mask`.
    """
    skeleton = as_mask("skeleton", skeleton)
    padded = np.pad(skeleton, 1).view(np.uint8)
    in_column = padded[:-2] + padded[1:-1] + padded[2:]
    around = in_column[:, :-2] + in_column[:, 1:-1] + in_column[:, 2:]  # the pixel itself and its neighbours
    branches: np.ndarray = label(skeleton & (around <= 3), EIGHT_NEIGHBOURS)[0]
    return branches


def broken_branches(truth_skeleton: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Branches of the ground truth that the prediction interrupts, and how much of them is missing.

    A branch is broken where at least `SHORTEST_GAP_PX` pixels of its centreline in a row lie outside the prediction;
    a branch that is missing as a whole is broken, too.

    Args:
        truth_skeleton: centreline of the ground truth, mask (H, W).
        prediction: mask (H, W).
    Returns:
        `broken_branches`: their number. `broken_length_px`: pixels of the centreline in all such stretches; a pixel
        stands for 1 to 1.4 px of length.
    Raises:
        RefusedInput: as `as_mask`, and for two shapes.
    """
    truth_skeleton, prediction = as_masks(truth_skeleton=truth_skeleton, prediction=prediction)
    branches = branch_labels(truth_skeleton)
    missing = (branches > 0) & ~prediction
    stretches = label(missing, EIGHT_NEIGHBOURS)[0][missing]
    gaps = (np.bincount(stretches) >= SHORTEST_GAP_PX)[stretches]
    return {
        "broken_branches": float(np.unique(branches[missing][gaps]).size),
        "broken_length_px": float(np.count_nonzero(gaps)),
    }


def widths_inside(truth: np.ndarray, truth_skeleton: np.ndarray) -> np.ndarray:
    """Width in pixels of the vessel that each pixel of `truth` belongs to.

    It is twice the distance from the nearest pixel of the centreline to the background, less one: right for odd widths,
    one too small for even ones, whose middle lies between pixels.

    Args:
        truth: mask (H, W), with background on all four sides.
        truth_skeleton: its centreline, mask (H, W), with at least one pixel.
    Returns:
        float64 (n,), of the n pixels of `truth` in the order of its rows.
    Raises:
        RefusedInput: as `as_mask`, and for two shapes.
    """
    truth, truth_skeleton = as_masks(truth=truth, truth_skeleton=truth_skeleton)
    depth = np.zeros(truth.shape)
    depth[truth_skeleton] = nearest_distances(~truth, truth_skeleton)
    return np.asarray(2 * depth[nearest_pixels(truth_skeleton, truth)] - 1)


def calibre_recall(truth: np.ndarray, truth_skeleton: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """`recall_thin`, `recall_medium` and `recall_thick`, 0 .. 1; NaN where the frame has no vessel of that calibre.

    Args:
        truth, prediction: masks (H, W), with background on all four sides.
        truth_skeleton: centreline of `truth`.
    Raises:
        RefusedInput: as `as_mask`, and for several shapes.
    """
    truth, truth_skeleton, prediction = as_masks(truth=truth, truth_skeleton=truth_skeleton, prediction=prediction)
    names = [f"recall_{calibre}" for calibre in Calibre]
    if not truth.any():
        empty = {"truth_empty": True, "prediction_empty": not prediction.any()}
        return {name: decided_value(name, **empty) for name in names}
    bounds = [*CALIBRE_FROM_PX.values()][1:]
    classes = np.digitize(widths_inside(truth, truth_skeleton), bounds)
    wanted = np.bincount(classes, minlength=len(names))
    hits = np.bincount(classes[prediction[truth]], minlength=len(names))
    return {name: float(hit / total) if total else np.nan for name, hit, total in zip(names, hits, wanted, strict=True)}
