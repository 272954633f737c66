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


def bit_depth_for(maximum: int) -> int:
    """The smallest of `BIT_DEPTHS` whose range 0 .. 2**bits - 1 holds `maximum`.

    Raises ValueError where `maximum` is above 65535, since no detector depth explains it.
    """
    for bits in BIT_DEPTHS:
        if maximum <= 2**bits - 1:
            return bits
    raise ValueError(
        f"grey values up to {maximum} found; at most 65535 (16 bits) can be scaled. Rescale the image first"
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
        raise ValueError(f"grey values up to {highest:g} found in an image of 0 to {full_scale}")
    return np.rint(values.astype(np.float64) * (255.0 / full_scale)).astype(np.uint8)


def is_deep_grey(image: Image.Image) -> bool:
    """Whether `image` is grey of more than 8 bits, or of floats: what `scale_grey` maps to 8 bits."""
    return image.mode in _DEEP_GREY_MODES


def to_rgb(image: Image.Image, full_scale: int | None = None) -> Image.Image:
    """Return `image` (any Pillow mode, W x H) as mode RGB, uint8, of the same size.

    Grey of 8 bits is repeated in the three channels, unchanged; deeper grey goes through `scale_grey`. Transparency
    is composited on black, the background of an angiogram; where it is opaque everywhere the colours stay as they are.
    Raises ValueError for what `scale_grey` refuses and for an image that is transparent everywhere, which holds nothing
    to look at.
    """
    if is_deep_grey(image):
        return Image.fromarray(scale_grey(np.asarray(image), full_scale)).convert("RGB")
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        straight = image.convert("LA") if image.mode == "La" else image  # Pillow knows no direct step from La
        return _on_black(straight.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


# From this share of all pixels on, what they hold is the image: the rest is no picture of vessels.
_NEARLY_ALL = 0.99


def given_as_rgb(image: Image.Image) -> Image.Image:
    """`to_rgb` of an image as a user opened it, with a UserWarning of what goes wrong there without an error.

    Warned of are: a depth that is judged by this image alone; colour or alpha of 16 bits, of which Pillow keeps the
    upper 8, as far as the image was not loaded yet; and an image of one value, or of black and white alone.
    """
    if image.mode in _DEEP_GREY_MODES:
        _warn(
            f"grey values of mode {image.mode} are scaled by the smallest of {', '.join(map(str, BIT_DEPTHS))} bits "
            "that holds this image's own maximum, so that a darker frame of the same detector may be scaled otherwise. "
            "For frames of one study use `vesselkit predict`, which takes one depth for all"
        )
    elif any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())):
        _warn(
            f"16 bits per channel in colour or with alpha are opened as {image.mode}, the upper 8 bits of each: values "
            "of 10 or 12 bits come out nearly black. Save the image as 16-bit grey or as 8-bit"
        )
    rgb = to_rgb(image)
    counts = rgb.convert("L").histogram()
    if max(max(counts), counts[0] + counts[-1]) >= _NEARLY_ALL * sum(counts):
        _warn(
            "nearly all of its pixels have one value, or are black and white: there is nothing to segment. A 16-bit "
            "image becomes that under .convert('RGB'); give it as PIL.Image.open returns it"
        )
    return rgb


def _warn(text: str) -> None:
    warnings.warn(f"image: {text}", stacklevel=3)


def _on_black(image: Image.Image) -> Image.Image:
    """Composite an RGBA image on black."""
    alpha = image.getchannel("A")
    if alpha.getextrema() == (0, 0):
        raise ValueError("every pixel of the image is transparent. Save it without its alpha channel")
    background = Image.new("RGB", image.size)
    background.paste(image.convert("RGB"), mask=alpha)
    return background
