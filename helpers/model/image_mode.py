"""One rule that turns any Pillow image mode into 8-bit RGB.

This module imports Pillow and NumPy alone: a copy of it travels in every exported model folder.

Grey values deeper than 8 bits are scaled by the range of the detector, never stretched to the frame's own
minimum and maximum, since that would change the contrast from frame to frame. The range is the smallest of
8, 10, 12, 14 and 16 bits that holds the frame's maximum: a frame with maximum 3071 is read as 12-bit, so 4095
would map to 255. The rule has one known cost: a dark frame of a deep detector can be read as a shallower one. Who
knows the range, from the file or from all frames of a data set, names it, and no frame's own maximum counts.
"""

import warnings

import numpy as np
from PIL import Image

BIT_DEPTHS = (8, 10, 12, 14, 16)

_DEEP_GREY_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N", "F"})
_ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_OPAQUE = 255


def bit_depth_for(maximum: int) -> int:
    """The smallest of `BIT_DEPTHS` whose range 0 .. 2**bits - 1 holds `maximum`.

    Raises ValueError where `maximum` is above 65535, since no detector depth explains it.
    """
    for bits in BIT_DEPTHS:
        if maximum <= 2**bits - 1:
            return bits
    raise ValueError(
        f"expected grey values of at most 65535 (16 bits), got values up to {maximum}. Rescale the image first"
    )


def scale_grey(values: np.ndarray, full_scale: int | None = None) -> np.ndarray:
    """Map grey `values` (H, W), integer or float and not negative, linearly to uint8 (H, W).

    They map from 0 .. `full_scale` to 0 .. 255 and are rounded. Without `full_scale` integers map from
    0 .. 2**bits - 1, with `bits` that of `bit_depth_for` the maximum, so values of 8 bits stay as they are; floats with
    a maximum of at most 1 are read as 0 .. 1, and others follow the integer rule.
    Raises ValueError on an empty array and on values that are negative, not finite or above 65535 or `full_scale`.
    """
    if values.size == 0:
        raise ValueError("the image has no pixels")
    is_float = np.issubdtype(values.dtype, np.floating)
    if is_float and not np.isfinite(values).all():
        raise ValueError("the image holds values that are not finite (NaN or infinity). Replace them first")
    lowest, highest = float(values.min()), float(values.max())
    if lowest < 0:
        raise ValueError(
            f"the image holds negative values (down to {lowest:g}). Shift or window it to 0 or above first"
        )
    if full_scale is None:
        full_scale = 1 if is_float and highest <= 1.0 else 2 ** bit_depth_for(int(np.ceil(highest))) - 1
    elif highest > full_scale:
        raise ValueError(f"expected grey values from 0 to {full_scale}, got values up to {highest:g}")
    return np.rint(values.astype(np.float64) * (255.0 / full_scale)).astype(np.uint8)


def is_deep_grey(image: Image.Image) -> bool:
    """Whether `image` is grey of more than 8 bits, or of floats: what `scale_grey` maps to 8 bits."""
    return image.mode in _DEEP_GREY_MODES


def to_rgb(image: Image.Image, full_scale: int | None = None) -> Image.Image:
    """Return `image` (any Pillow mode, W x H) as mode RGB, uint8, of the same size.

    Grey of 8 bits is repeated in the three channels, unchanged; deeper grey goes through `scale_grey`.
    Raises ValueError for what `scale_grey` and `require_opaque` refuse.
    """
    require_opaque(image)
    if is_deep_grey(image):
        return Image.fromarray(scale_grey(np.asarray(image), full_scale)).convert("RGB")
    if has_alpha(image):
        return _straight(image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def has_alpha(image: Image.Image) -> bool:
    """Whether `image` can have transparent pixels: a channel for it, or a colour or palette entry that is clear."""
    return image.mode in _ALPHA_MODES or "transparency" in image.info


def require_opaque(image: Image.Image) -> None:
    """Raise ValueError where what `image` shows depends on the ground behind its transparent pixels.

    Such pixels are accepted where they are black in an image of several colours: dropped alpha and a black ground give
    the same picture then.
    """
    if not has_alpha(image):
        return
    if is_deep_grey(image):
        colours = np.asarray(image)[..., None]
        is_hidden = colours[..., 0] == image.info["transparency"]
    else:
        pixels = np.asarray(_straight(image))
        colours, is_hidden = pixels[..., :3], pixels[..., 3] < _OPAQUE
    if is_hidden.any() and (colours[is_hidden].any() or not colours.any()):
        raise ValueError(
            f"{is_hidden.sum()} of {is_hidden.size} pixels are transparent, so that the picture depends on the ground "
            "behind it. Save the image without transparency, on the ground that it was drawn for"
        )


def _straight(image: Image.Image) -> Image.Image:
    """An image that may be transparent as RGBA, its colours not multiplied by alpha."""
    # Pillow knows no direct step from La.
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


# From this share of all pixels on, what they hold is the image: the rest is no picture of vessels.
_NEARLY_ALL = 0.99


def given_as_rgb(images: list[Image.Image]) -> list[Image.Image]:
    """`to_rgb` of one image, or of the frames of one sequence, as `given_image` returns them.

    Deep grey of all of them has one depth, the smallest that holds their largest value. What goes wrong here without an
    error gives a UserWarning: a depth that the images themselves decide, and images of one value each, or of black and
    white alone.
    Raises ValueError as `to_rgb`.
    """
    deep = [image for image in images if is_deep_grey(image)]
    if deep:
        _warn(
            f"grey values of mode {deep[0].mode} are scaled by the smallest of {', '.join(map(str, BIT_DEPTHS))} bits "
            "that holds the largest of what was given, so that a darker image of the same detector may be scaled "
            "otherwise. For frames of one study use `vesselkit predict`, which takes one depth for all"
        )
    full_scale = _full_scale(deep) if len(deep) > 1 else None
    found = [to_rgb(image, full_scale) for image in images]
    if all(map(_shows_nothing, found)):
        _warn(
            "nearly all of its pixels have one value, or are black and white: there is nothing to segment. A 16-bit "
            "image becomes that under .convert('RGB'); give it as PIL.Image.open returns it"
        )
    return found


def _full_scale(images: list[Image.Image]) -> int | None:
    """What white is in all of several images of deep grey; None where each of them is refused by itself."""
    highest = max(np.asarray(image).max(initial=0) for image in images)
    if not np.isfinite(highest) or highest > 2 ** BIT_DEPTHS[-1] - 1:
        return None
    unit = all(image.mode == "F" for image in images) and highest <= 1
    return 1 if unit else 2 ** bit_depth_for(int(np.ceil(highest))) - 1


def _shows_nothing(rgb: Image.Image) -> bool:
    counts = rgb.convert("L").histogram()
    return max(max(counts), counts[0] + counts[-1]) >= _NEARLY_ALL * sum(counts)


def _warn(text: str) -> None:
    warnings.warn(f"image: {text}", stacklevel=3)
