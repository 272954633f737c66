"""Agreement of centrelines: clDice, with its two halves."""

import numpy as np
from skimage.morphology import skeletonize

from helpers.metrics.empties import decided_value
from helpers.metrics.masks import as_mask, as_masks

# Another method moves clDice by about 0.01, so that the method is part of the metric's definition.
SKELETON_METHOD = "zhang"


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
