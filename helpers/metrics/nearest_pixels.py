"""The nearest pixel of a mask, looked for at some pixels only, which are often near it: the outlines of two masks."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from helpers.metrics.masks import as_masks

# Looking at one column for one pixel takes about as long as scipy's transform takes for one pixel of the frame. Where
# pixels are so far that there is more to look at than this share of the frame, the transform does the rest.
_SEARCHED_SHARE = 0.5
# So many distances are computed at a time: a few pixels that are far look at many columns at once.
_AT_A_TIME, _COLUMNS_AT_A_TIME = 2048, 32


def nearest_pixels(target: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pixel of `target` that is nearest to each pixel of `at`; of equally near ones the leftmost, then the upper.

    These are the pixels that scipy's `distance_transform_edt(~target, return_indices=True)` names, equal ones included.

    Args:
        target: mask (H, W) with at least one pixel.
        at: mask (H, W).
    Returns:
        Rows and columns, int64 (n,) each, in the order of `np.nonzero(at)`.
    Raises:
        RefusedInput: as `as_mask`, and for two shapes.
    """
    target, at = as_masks(target=target, at=at)
    width = target.shape[1]
    above, below, distances = _in_columns(target)
    flat = np.flatnonzero(at)
    rows, columns = np.divmod(flat, width)
    found = _nearest_columns(target, distances, flat, columns)
    nearest = flat - columns + found
    upper, lower = above[nearest], below[nearest]
    return np.where(upper + lower >= 2 * rows, upper, lower).astype(np.int64), found


def nearest_distances(target: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Distance in pixels from each pixel of `at` to the nearest of `target`, float64 (n,); arguments as above."""
    target, at = as_masks(target=target, at=at)
    width = target.shape[1]
    distances = _in_columns(target)[2]
    flat = np.flatnonzero(at)
    columns = flat % width
    found = _nearest_columns(target, distances, flat, columns)
    away = found - columns
    return np.asarray(np.sqrt((_squares(distances, flat + away) + away * away).astype(np.float64)))


def _in_columns(target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest pixels of `target` in each pixel's own column.

    In a column without any they are so far away that no pixel of another column is further.

    Returns:
        Row of the nearest at or above, of that at or below, and the smaller distance, integers (H * W,) each.
    """
    height, width = target.shape
    beyond = 2 * (height + width)
    rows = np.arange(height, dtype=np.int16 if 2 * beyond < np.iinfo(np.int16).max else np.int64)[:, None]
    above, below = target * (rows + beyond) - beyond, beyond - target * (beyond - rows)  # faster than `np.where`
    step = 1
    while step < height:  # as `accumulate` along the columns, in half its time
        np.maximum(above[step:], above[:-step], out=above[step:])
        np.minimum(below[:-step], below[step:], out=below[:-step])
        step *= 2
    return above.ravel(), below.ravel(), np.minimum(rows - above, below - rows).ravel()


def _nearest_columns(target: np.ndarray, distances: np.ndarray, flat: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Column of the nearest pixel of `target`, the leftmost of equally near ones, int64 (n,).

    Args:
        distances: of `_in_columns`.
        flat, columns: places in the flattened frame to look from, and their columns, int64 (n,).
    """
    width = target.shape[1]
    found = columns.copy()
    places, starts, here = np.arange(flat.size), flat - columns, columns
    best, best_column = _squares(distances, flat), columns
    reach, searched = 1, 0
    while True:
        unsure = best >= reach * reach  # a column at just this distance may hold one as near, further left
        found[places] = best_column
        places, starts, here, best, best_column = (one[unsure] for one in (places, starts, here, best, best_column))
        if not places.size:
            return found
        count = min(max(1, _AT_A_TIME // places.size), _COLUMNS_AT_A_TIME)
        searched += places.size * count
        if searched > _SEARCHED_SHARE * target.size:
            nearest = distance_transform_edt(~target, return_distances=False, return_indices=True)[1].ravel()
            found[places] = nearest[flat[places]]
            return found
        reached = np.arange(reach, reach + count)[:, None]
        left = np.maximum(here - reached[::-1], 0)
        square, column = _least(distances, starts, here, left)
        nearer = square <= best
        best, best_column = np.where(nearer, square, best), np.where(nearer, column, best_column)
        right = np.minimum(here + reached, width - 1)
        square, column = _least(distances, starts, here, right)
        nearer = square < best
        best, best_column = np.where(nearer, square, best), np.where(nearer, column, best_column)
        reach += count


def _least(
    distances: np.ndarray, starts: np.ndarray, here: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The least square distance in the columns (k, n) looked at from each of n places, and the first column of it."""
    away = columns - here
    squares = _squares(distances, starts + columns) + away * away
    if len(columns) == 1:
        return squares[0], columns[0]
    first = squares.argmin(axis=0)[None]
    return np.take_along_axis(squares, first, axis=0)[0], np.take_along_axis(columns, first, axis=0)[0]


def _squares(distances: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Squares of the distances at some places, int64."""
    taken = distances.take(places).astype(np.int64)
    return taken * taken
