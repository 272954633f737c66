"""The part of a frame that holds all vessels."""

import numpy as np

from helpers.evaluation.mask import as_mask, as_masks


def bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the smallest box around the pixels of a mask (H, W); empty slices for an empty mask.

    Raises RefusedInput as `as_mask`.
    """
    mask = as_mask("mask", mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def crop_pair(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both masks cut to the box around their union, with one row or column of background on each side.

    The border keeps distances and holes right: what lies outside the frame is background.

    Args:
        truth, prediction: masks (H, W).
    Returns:
        Two bool arrays of the same shape, (h + 2, w + 2) with h x w the box.
    Raises:
        RefusedInput: as `as_mask`, and for two shapes.
    """
    truth, prediction = as_masks(truth=truth, prediction=prediction)
    box = bounding_box(truth | prediction)
    return np.pad(truth[box], 1), np.pad(prediction[box], 1)
