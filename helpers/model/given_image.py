"""Images as users give them to a model: opened by Pillow, as a path, or as an array of bytes.

Each becomes one upright picture, or is refused in one line that says what was expected. Files are judged as `vesselkit`
judges them, so that the pixels are those that `vesselkit predict` sees.
"""

import os
import warnings
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from .image_depth import Depth, depth_of, grey_values, tags_of
from .image_file import (
    DECODE_ERRORS,
    FORMATS,
    UnfitImage,
    is_turned,
    layout_reason,
    open_unpacked,
    size_reason,
    upright,
)
from .image_mode import bit_depth_for, is_deep_grey, require_opaque, scale_grey
from .image_stacks import PLANES_REASON, is_in_planes, planes_differ

_ORIENTATION = ExifTags.Base.Orientation
_SWAPPING = (5, 6, 7, 8)
_EXPECTED = "expected a PIL image, a path, or a numpy array uint8 of shape (H, W) or, in RGB, (H, W, 3)"

# Formats whose depth Pillow forgets once it has decoded them: it spreads their values over 16 bits.
_FORGETFUL = ("PPM", "JPEG2000")


def require_kind(given: Any, where: str) -> None:
    """Refuse what is not an image by its type, dtype or shape, or a path without a file; nothing is decoded.

    Args:
        where: what the caller calls it, the beginning of the message.
    Raises:
        ValueError: in one line.
    """
    if isinstance(given, np.ndarray):
        fits = given.ndim == 2 or (given.ndim == 3 and given.shape[2] == 3)
        if given.dtype != np.uint8 or not fits or not given.size:
            raise ValueError(f"{where}: {_EXPECTED}, got an array {given.dtype} of shape {given.shape}")
    elif isinstance(given, (str, os.PathLike)):
        if not os.path.isfile(given):
            raise ValueError(f"{where}: {given}: expected an image file, found none. Check the path")
    elif not isinstance(given, Image.Image):
        raise ValueError(f"{where}: {_EXPECTED}, got {type(given).__name__}")


def one_picture(given: Any, where: str = "image") -> Image.Image:
    """The one picture that was given, upright: (H, W) of any mode that `to_rgb` takes.

    Grey of more than 8 bits whose format states its range is 8-bit grey already. A picture that its EXIF orientation
    turns gives a UserWarning, since masks then lie on the turned picture.

    Args:
        given: a PIL image of any mode, best as `PIL.Image.open` returns it; the path of an image file, `str` or
            `os.PathLike`; or a numpy uint8 array (H, W) of grey or (H, W, 3) of RGB.
        where: what the caller calls it, the beginning of a message.
    Raises:
        ValueError: in one line; for what `require_kind` refuses, and for files of several pictures, damaged ones, and
            those that Pillow would cut to 8 bits, invert, or turn wrongly.
    """
    require_kind(given, where)
    if isinstance(given, np.ndarray):
        return Image.fromarray(given)
    name = where
    try:
        if isinstance(given, Image.Image):
            picture, orientation = _of_image(given)
        else:
            name = f"{where}: {given}"
            picture, orientation = _of_path(given)
    except UnfitImage as error:
        raise ValueError(f"{name}: {error}") from error
    except UnidentifiedImageError as error:
        known = ", ".join(FORMATS)
        raise ValueError(f"{name}: not an image of a known format ({known}). Export it as PNG") from error
    except (Image.DecompressionBombError, *DECODE_ERRORS) as error:
        if isinstance(error, OSError) and error.errno:
            raise ValueError(f"{name}: the image cannot be read ({error.strerror})") from error
        raise ValueError(
            f"{name}: the image cannot be decoded ({type(error).__name__}): it is damaged, cut short or too large"
        ) from error
    if is_turned(orientation):
        warnings.warn(
            f"{where}: turned as its EXIF orientation {orientation} says; the masks lie on "
            "PIL.ImageOps.exif_transpose(image)",
            stacklevel=3,
        )
    return upright(picture, orientation)


def _of_path(path: str | os.PathLike) -> tuple[Image.Image, int | None]:
    """The picture in a file, decoded, and its EXIF orientation. Raises as Pillow does, and `UnfitImage`."""
    # Open files are handed to Pillow, not paths: see `_decode`.
    with open_unpacked(path) as file, Image.open(file, formats=FORMATS) as image:
        reason = size_reason(image) or layout_reason(image, file)
        if reason is not None:
            raise UnfitImage(reason)
        image.verify()  # finds bad checksums, but leaves the object unusable: hence the second opening
    with open_unpacked(path) as file, Image.open(file, formats=FORMATS) as image:
        picture, orientation = _of_opened(image)
        return picture.copy(), orientation


def _of_image(image: Image.Image) -> tuple[Image.Image, int | None]:
    """The picture of a PIL image, decoded, and its EXIF orientation where that is still to be applied."""
    if isinstance(image, ImageFile.ImageFile):
        return _of_opened(image)
    orientation = image.getexif().get(_ORIENTATION)
    if is_turned(orientation):
        raise UnfitImage(
            f"it carries the EXIF orientation {orientation} of its file, but was changed since it was opened, so that "
            "it may be turned already. Give it as PIL.Image.open returns it, or PIL.ImageOps.exif_transpose of that"
        )
    return image, None


def _of_opened(image: ImageFile.ImageFile) -> tuple[Image.Image, int | None]:
    """As `_of_image`, of an image that is what its file holds."""
    is_decoded = not image.tile
    file = None if is_decoded else image.fp
    if not is_decoded and (file is None or file.closed):
        raise UnfitImage("its file was closed before it was read. Give it while the file is open, or give the path")
    reason = layout_reason(image, file)
    if reason is not None:
        raise UnfitImage(reason)
    in_planes = is_in_planes(image)
    depth = _known_depth(image) if is_decoded else depth_of(image, file)
    if not is_decoded:
        _decode(image)
    elif _is_garbled(image):
        raise UnfitImage("Pillow mapped it into memory and turned it wrongly. Give the path instead")
    if in_planes and planes_differ(image):
        raise UnfitImage(PLANES_REASON)
    # Read behind load(): for TIFF, Pillow has then applied and removed the tag by itself.
    orientation = image.getexif().get(_ORIENTATION)
    if depth is None:
        return image, orientation
    require_opaque(image)  # the values alone no longer tell
    values = grey_values(image, depth)
    white = depth.full_scale or _remarked_white(values, depth)
    return (image if white is None else Image.fromarray(scale_grey(values, white))), orientation


def _remarked_white(values: np.ndarray, depth: Depth) -> int | None:
    """The white (H, W) values have by their file's remark; None where it has none, or they do not fit it."""
    largest = values.max()
    if depth.significant_bits is not None:
        white = 2**depth.significant_bits - 1
        return white if largest <= white else None
    if depth.noted_maximum is not None:
        return 2 ** bit_depth_for(int(max(largest, depth.noted_maximum))) - 1
    return None


def _known_depth(image: ImageFile.ImageFile) -> Depth | None:
    """What a decoded image still says of its depth."""
    if is_deep_grey(image) and image.format in _FORGETFUL:
        raise UnfitImage(
            f"grey of more than 8 bits in {image.format} was read before it was given, so that its depth is "
            "unknown. Give it as PIL.Image.open returns it, or give the path"
        )
    return depth_of(image, None)


def _is_garbled(image: ImageFile.ImageFile) -> bool:
    """Whether a decoded TIFF was mapped from a file that swaps height and width, see `_decode`: its header is asked."""
    if image.format != "TIFF" or getattr(image, "map", None) is None:
        return False
    try:
        with open(image.filename, "rb") as file, Image.open(file) as header:
            return tags_of(header).get(_ORIENTATION) in _SWAPPING
    except DECODE_ERRORS:
        return False  # the file is gone


def _decode(image: ImageFile.ImageFile) -> None:
    """Load an image without mapping its file into memory: Pillow turns a mapped TIFF wrongly by its orientation."""
    name, image.filename = image.filename, ""
    try:
        image.load()
    finally:
        image.filename = name
