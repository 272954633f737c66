"""The same metrics by code that shares nothing with the kit."""

import warnings

import numpy as np
import surface_distance as package
from skimage.morphology import skeletonize


def cldice_by_points(truth: np.ndarray, found: np.ndarray) -> float:
    """clDice of two masks with pixels, from sets of points and scikit-image's default skeleton."""
    truth_points, found_points, truth_line, found_line = (
        set(zip(*np.nonzero(mask), strict=True)) for mask in (truth, found, skeletonize(truth), skeletonize(found))
    )
    precise = len(found_line & truth_points) / len(found_line)
    sensitive = len(truth_line & found_points) / len(truth_line)
    return 2 / (1 / precise + 1 / sensitive) if precise and sensitive else 0.0


def by_package(
    truth: np.ndarray, found: np.ndarray, spacing: tuple[float, float], limits: tuple[float, ...]
) -> tuple[list[float], float]:
    """NSD at each limit, and HD95, from the package surface-distance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        distances = package.compute_surface_distances(truth, found, spacing)
    shares = [float(package.compute_surface_dice_at_tolerance(distances, limit)) for limit in limits]
    return shares, float(package.compute_robust_hausdorff(distances, 95))
