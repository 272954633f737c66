"""Masks as the metrics accept them (bool, or numbers that leave no doubt), cut to the part with all vessels."""

from typing import Any

import numpy as np

from helpers.core.errors import RefusedInput

_NUMBERS = "iuf"  # numpy's kinds of signed, unsigned and floating numbers
_MOST_VALUES = 5
EIGHT_NEIGHBOURS = np.ones((3, 3), bool)  # pixels that touch at a corner are of one piece


def as_mask(name: str, array: Any) -> np.ndarray:
    """A mask as bool, (H, W); one that is bool already is given back itself.

    Args:
        name: of the mask, for the message.
        array: bool, or integer or floating with no values but 0 and 1, or 0 and 255, which are background and vessel.
    Raises:
        RefusedInput: for other values, or where it has not two dimensions with pixels.
    """
    if type(array) is np.ndarray and array.dtype == np.bool_ and array.ndim == 2 and array.size:
        return array
    if np.ma.isMaskedArray(array):
        raise _refused(name, "a masked array")
    mask = np.asarray(array)
    if mask.ndim != 2 or not mask.size:
        raise _refused(name, f"{mask.dtype} {mask.shape}")
    if mask.dtype == np.bool_:
        return mask
    if mask.dtype.kind in _NUMBERS:
        inside: np.ndarray = mask != 0
        vessel = mask[inside]
        if not vessel.size or (vessel[0] in (1, 255) and (vessel == vessel[0]).all()):
            return inside
    raise _refused(name, f"{mask.dtype} {mask.shape}{_values(mask)}")


def as_masks(**arrays: Any) -> tuple[np.ndarray, ...]:
    """Masks of one shape as bool, (H, W), in the order given; the names are for the message. Raises as `as_mask`."""
    masks = [as_mask(name.replace("_", " "), array) for name, array in arrays.items()]
    if any(mask.shape != masks[0].shape for mask in masks):
        shapes = ", ".join(f"{name.replace('_', ' ')} {mask.shape}" for name, mask in zip(arrays, masks, strict=True))
        raise RefusedInput(f"masks: expected one shape, got {shapes}. Give the masks of one frame, at its full size")
    return tuple(masks)


def _values(array: np.ndarray) -> str:
    """The values of an array of numbers, for a message; empty for one of other things."""
    if array.dtype.kind not in _NUMBERS:
        return ""
    values = np.unique(array)
    shown = ", ".join(f"{value:g}" for value in values[:_MOST_VALUES].tolist())
    return f" with the values {shown}" + (
        f" and {len(values) - _MOST_VALUES} more" if len(values) > _MOST_VALUES else ""
    )


def _refused(name: str, came: str) -> RefusedInput:
    return RefusedInput(
        f"{name}: expected a mask (H, W) with pixels, bool or with no values but 0 and 1, or 0 and 255, got {came}. "
        "Say which values are vessel, as in `labels == 1`"
    )


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
