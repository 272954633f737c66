"""Occlusions that a mask bridges and narrowings that it widens: what a mask that hangs together may have invented.

Both need to know where the lesion is, as drawn angiograms do. A place is (x, y) in pixels, and a pixel's centre
is at half a pixel.
"""

from enum import StrEnum

import numpy as np
from scipy.ndimage import distance_transform_edt, label

from helpers.metrics.masks import EIGHT_NEIGHBOURS, as_mask, as_masks

_STEP = 0.25

ASIDE_PX = 2.0
"""A vessel that a mask shows no farther from its place than this is the same vessel."""

WIDENED_BY_PX = 1.0
"""More than the grid of pixels alone changes."""

NARROWED = 0.75
"""Of the diameter beside it: less is a narrowing."""


def calibre_at(mask: np.ndarray, place: tuple[float, float], across: tuple[float, float], reach: float) -> float:
    """Width in pixels of the vessel of a mask at a place, to a quarter of a pixel; 0 where it shows none there.

    It is the run of the mask through the place, or through the nearest point of the line up to `ASIDE_PX` away.

    Args:
        mask: (H, W).
        across: direction of the line, of any length above 0.
        reach: half of the line, pixels: a wider run is cut to it.
    Raises:
        RefusedInput: as `as_mask`.
    """
    mask = as_mask("mask", mask)
    steps = np.arange(-round(reach / _STEP), round(reach / _STEP) + 1)
    way = np.asarray(across, np.float64) / np.hypot(*across)
    columns, rows = np.floor(np.asarray(place)[:, None] + way[:, None] * steps * _STEP).astype(int)
    inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
    marked = np.zeros(len(steps), bool)
    marked[inside] = mask[rows[inside], columns[inside]]
    runs, count = label(marked)
    if not count:
        return 0.0
    away = np.where(marked, np.abs(steps) * _STEP, np.inf)
    nearest = int(np.argmin(away))
    if away[nearest] > ASIDE_PX:
        return 0.0
    return float(np.count_nonzero(runs == runs[nearest]) * _STEP)


class NarrowingSeen(StrEnum):
    """What a prediction makes of a true narrowing."""

    KEPT = "kept"
    WIDENED = "widened"
    LOST = "lost"


def narrowing_seen(
    truth: np.ndarray,
    prediction: np.ndarray,
    place: tuple[float, float],
    across: tuple[float, float],
    calibre: float,
    reference: float,
) -> NarrowingSeen | None:
    """What a prediction shows at a narrowest point: WIDENED by more than `WIDENED_BY_PX`, LOST where it is empty.

    Args:
        truth, prediction: masks (H, W).
        place, across: of the narrowest point, and the direction across the vessel.
        calibre, reference: true diameters of the vessel there, and beside the narrowing, pixels.
    Returns:
        None where it cannot be told: the narrowest point is not below `NARROWED` of the vessel beside it, or the truth
        shows no vessel there, or a much wider one, since another vessel lies over it.
    Raises:
        RefusedInput: as `as_masks`.
    """
    truth, prediction = as_masks(truth=truth, prediction=prediction)
    reach = reference + 2 * ASIDE_PX
    wanted = calibre_at(truth, place, across, reach)
    if calibre > NARROWED * reference or not 0 < wanted <= calibre + ASIDE_PX:
        return None
    found = calibre_at(prediction, place, across, reach)
    if not found:
        return NarrowingSeen.LOST
    return NarrowingSeen.WIDENED if found > wanted + WIDENED_BY_PX else NarrowingSeen.KEPT


def gap_bridged(truth: np.ndarray, prediction: np.ndarray, course: np.ndarray, reference: float) -> bool | None:
    """Whether a prediction leads from one end of an occlusion to the other where the ground truth does not.

    It does where one 8-connected piece of it, within the vessel's width of the course and a pixel, touches both ends.

    Args:
        truth, prediction: masks (H, W).
        course: float (N, 2) with N of 2 or more, centreline (x, y) of the closed part from end to end.
        reference: diameter of the vessel before the occlusion, pixels.
    Returns:
        None where it cannot be told: the truth leads across, since another vessel lies over the gap; the truth shows
        no vessel at the first end; or the ends are too near to each other.
    Raises:
        RefusedInput: as `as_masks`.
    """
    truth, prediction = as_masks(truth=truth, prediction=prediction)
    reach = reference / 2 + 1
    first, last = (_near(truth.shape, course[[end]], reach) for end in (0, -1))
    if (first & last).any() or not (truth & first).any():
        return None
    corridor = _near(truth.shape, course, reach)
    if _leads(truth & corridor, first, last):
        return None
    return _leads(prediction & corridor, first, last)


def _leads(mask: np.ndarray, first: np.ndarray, last: np.ndarray) -> bool:
    pieces = label(mask, EIGHT_NEIGHBOURS)[0]
    return bool(set(np.unique(pieces[first])) & set(np.unique(pieces[last])) - {0})


def _near(shape: tuple[int, ...], course: np.ndarray, reach: float) -> np.ndarray:
    """Pixels, bool (H, W), whose centres are within `reach` of a course, to about a pixel."""
    points = [course[:1]]
    for start, end in zip(course, course[1:], strict=False):
        steps = max(int(np.ceil(2 * np.hypot(*(end - start)))), 1)
        points.append(start + (end - start) * np.linspace(0, 1, steps + 1)[1:, None])
    columns, rows = np.floor(np.concatenate(points)).astype(int).T
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    away = np.ones(shape, bool)
    away[rows[inside], columns[inside]] = False
    if away.all():  # without a zero the distances would be to nothing
        return np.zeros(shape, bool)
    near: np.ndarray = distance_transform_edt(away) <= reach
    return near
