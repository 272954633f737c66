"""Distances between the outlines of two masks: NSD, HD95, ASSD.

The outline runs between the pixels. It is made of elements, one in each square of four neighbouring pixels that are not
all alike, with the length that a straight cut through that square has. Shares, percentiles and means are weighted by
these lengths, and the distance of an element is that to the nearest element of the other outline.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from helpers.metrics.empties import empty_value
from helpers.metrics.masks import as_masks
from helpers.metrics.nearest_pixels import nearest_distances

TOLERANCES_PX = (1, 2, 3)
TOLERANCES_MM = (0.5, 1.0)
PERCENTILE = 0.95

# A distance of three pixels of 0.1 mm is 0.30000000000000004 mm in floating point, and belongs inside 0.3 mm.
_ROUNDING = 1 + 1e-9


@dataclass(frozen=True)
class SurfaceDistances:
    """Outline elements of both masks: how far each is from the other outline, and how long it is.

    Attributes:
        truth, prediction: distances, float64 (n,) and (m,), ascending; in the unit of the spacing.
        truth_lengths, prediction_lengths: lengths in the same unit, in the same order.
    """

    truth: np.ndarray
    truth_lengths: np.ndarray
    prediction: np.ndarray
    prediction_lengths: np.ndarray

    @property
    def empty(self) -> dict[str, bool]:
        return {"truth_empty": self.truth.size == 0, "prediction_empty": self.prediction.size == 0}

    def scaled(self, factor: float) -> "SurfaceDistances":
        """The same in another unit, for square pixels: `factor` new units in one old."""
        return SurfaceDistances(
            self.truth * factor, self.truth_lengths * factor, self.prediction * factor, self.prediction_lengths * factor
        )


def surface_distances(
    truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)
) -> SurfaceDistances:
    """Distances between the outlines of two masks.

    Args:
        truth, prediction: masks (H, W). What lies outside the array is background.
        spacing: height and width of a pixel; (1, 1) gives pixels.
    Returns:
        Infinite distances where one mask is empty; empty arrays for an empty mask.
    Raises:
        RefusedInput: as `as_mask`, and for two shapes.
    """
    truth, prediction = as_masks(truth=truth, prediction=prediction)
    truth_codes, prediction_codes = _corner_codes(truth), _corner_codes(prediction)
    truth_outline, prediction_outline = _is_outline(truth_codes), _is_outline(prediction_codes)
    lengths = _element_lengths(spacing)
    return SurfaceDistances(
        *_sorted(_distances(prediction_outline, truth_outline, spacing), lengths[truth_codes[truth_outline]]),
        *_sorted(_distances(truth_outline, prediction_outline, spacing), lengths[prediction_codes[prediction_outline]]),
    )


def normalised_surface_dice(metric: str, distances: SurfaceDistances, tolerance: float) -> float:
    """Share of both outlines, by length, that lies within `tolerance` of the other, 0 .. 1.

    Args:
        metric: name of the score in the table of empty masks.
        tolerance: in the unit of `distances`; a distance equal to it is within.
    """
    decided = empty_value(metric, **distances.empty)
    if decided is not None:
        return decided
    limit = tolerance * _ROUNDING
    near = (
        distances.truth_lengths[distances.truth <= limit].sum()
        + distances.prediction_lengths[distances.prediction <= limit].sum()
    )
    return float(near / (distances.truth_lengths.sum() + distances.prediction_lengths.sum()))


def hausdorff_95(metric: str, distances: SurfaceDistances) -> float:
    """The larger of the two directed 95th percentiles of distance, weighted by length; in the unit of `distances`."""
    decided = empty_value(metric, **distances.empty)
    if decided is not None:
        return decided
    return max(
        _percentile(distances.truth, distances.truth_lengths),
        _percentile(distances.prediction, distances.prediction_lengths),
    )


def average_distance(metric: str, distances: SurfaceDistances) -> float:
    """Mean distance over the elements of both outlines, weighted by length (ASSD); in the unit of `distances`."""
    decided = empty_value(metric, **distances.empty)
    if decided is not None:
        return decided
    weighted = distances.truth @ distances.truth_lengths + distances.prediction @ distances.prediction_lengths
    return float(weighted / (distances.truth_lengths.sum() + distances.prediction_lengths.sum()))


def surface_scores(
    truth: np.ndarray, prediction: np.ndarray, spacing_mm: tuple[float, float] | None = None
) -> dict[str, float]:
    """All scores of this module by name; those in mm are NaN where `spacing_mm` (height, width) is None.

    Raises RefusedInput as `surface_distances`.
    """
    pixels = surface_distances(truth, prediction)
    scores = {f"nsd_{limit}px": normalised_surface_dice(f"nsd_{limit}px", pixels, limit) for limit in TOLERANCES_PX}
    scores |= {"hd95_px": hausdorff_95("hd95_px", pixels), "assd_px": average_distance("assd_px", pixels)}
    mm_names = [f"nsd_{limit}mm" for limit in TOLERANCES_MM]
    if spacing_mm is None:
        return scores | dict.fromkeys([*mm_names, "hd95_mm", "assd_mm"], np.nan)
    square = spacing_mm[0] == spacing_mm[1]
    mm = pixels.scaled(spacing_mm[0]) if square else surface_distances(truth, prediction, spacing_mm)
    scores |= {
        name: normalised_surface_dice(name, mm, limit) for name, limit in zip(mm_names, TOLERANCES_MM, strict=True)
    }
    return scores | {"hd95_mm": hausdorff_95("hd95_mm", mm), "assd_mm": average_distance("assd_mm", mm)}


def _corner_codes(mask: np.ndarray) -> np.ndarray:
    """uint8 (H + 1, W + 1): which of the four pixels around each corner are inside, as bits 8 4 / 2 1."""
    padded = np.pad(mask, 1).astype(np.uint8)
    return 8 * padded[:-1, :-1] + 4 * padded[:-1, 1:] + 2 * padded[1:, :-1] + padded[1:, 1:]


def _is_outline(codes: np.ndarray) -> np.ndarray:
    return (codes > 0) & (codes < 15)


def _element_lengths(spacing: tuple[float, float]) -> np.ndarray:
    """Length of the outline in a square of four pixels, float64 (16,), by code."""
    height, width = spacing
    cut = np.hypot(height, width) / 2
    lengths = np.zeros(16)
    for code in range(1, 15):
        inside = code.bit_count()
        if inside == 2:
            lengths[code] = {12: width, 3: width, 10: height, 5: height}.get(code, 2 * cut)
        else:
            lengths[code] = cut
    return lengths


def _distances(target: np.ndarray, at: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    """Distance to the nearest corner of `target` at the corners of `at`."""
    if not target.any() or not at.any():
        return np.full(np.count_nonzero(at), np.inf)
    if spacing == (1.0, 1.0):
        return nearest_distances(target, at)
    distances: np.ndarray = distance_transform_edt(~target, sampling=spacing)
    return np.asarray(distances[at])


def _sorted(distances: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((lengths, distances))
    return distances[order], lengths[order]


def _percentile(distances: np.ndarray, lengths: np.ndarray) -> float:
    reached = np.cumsum(lengths) / lengths.sum()
    return float(distances[min(int(np.searchsorted(reached, PERCENTILE)), distances.size - 1)])
