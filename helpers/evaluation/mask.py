"""What the engine takes for a mask: bool, or numbers that leave no doubt which pixels are vessel."""

from typing import Any

import numpy as np

from helpers.errors import RefusedInput

_NUMBERS = "iuf"  # numpy's kinds of signed, unsigned and floating numbers
_MOST_VALUES = 5


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
    found = np.asarray(array)
    if found.ndim != 2 or not found.size:
        raise _refused(name, f"{found.dtype} {found.shape}")
    if found.dtype == np.bool_:
        return found
    if found.dtype.kind in _NUMBERS:
        inside = found != 0
        vessel = found[inside]
        if not vessel.size or (vessel[0] in (1, 255) and (vessel == vessel[0]).all()):
            return inside
    raise _refused(name, f"{found.dtype} {found.shape}{_values(found)}")


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
