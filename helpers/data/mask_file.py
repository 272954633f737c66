"""Mask files: vessel or not, from any image format that data sets are published in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from helpers.images.reading import DECODE_ERRORS, MAX_PIXELS, UnreadableImage, open_unpacked, upright

_FORMATS = ("PNG", "TIFF", "GIF", "BMP", "PPM", "JPEG")

# Greys this close to black or white are smeared black or white, such as JPEG leaves.
_SMEAR = 16
# Labels come in few values, of which those between black and white fill most of what is not background.
_LABELS = 32
_BETWEEN = 2 / 3

_LYING = frozenset({5, 6, 7, 8})

_AS_GREY = "Export it as grey with 0 and 255"


def mask_size(path: Path) -> tuple[int, int]:
    """Width and height of a mask file in pixels, upright, from its header. Raises `UnreadableImage`."""
    with _opened(path) as image:
        width, height = image.size
        # Of a TIFF, Pillow states the upright size by itself.
        lies = image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation) in _LYING
        return (height, width) if lies else (width, height)


def read_mask(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read a mask, upright: 0 and 255, or 0 and 1; else what is 128 or more, of 255, is vessel.

    Of two colours, palette or not, one must be black; the other is vessel.

    Returns:
        The mask, bool (H, W), and remarks such as `mask not binary: values 0, 17, 255`, without names.
    Raises:
        UnreadableImage: where the file is missing, damaged, too large, of several frames, transparent in parts, of more
            than two colours, of labels, or of greys that are all dark.
    """
    with _opened(path) as image:
        try:
            image.load()
            # Read after load(): for TIFF, Pillow has then applied and removed the tag by itself.
            orientation = image.getexif().get(ExifTags.Base.Orientation)
            alpha = image.getchannel("A").getextrema()[0] if "A" in image.getbands() else 255
            image = upright(image if image.mode in _GREYS else image.convert("RGB"), orientation)
            colours = image.getcolors(2) if image.mode == "RGB" else None
            values = np.asarray(image)
        except Image.DecompressionBombError as error:
            raise UnreadableImage(path, f"too many pixels; at most {MAX_PIXELS:,} are read") from error
        except DECODE_ERRORS as error:
            raise UnreadableImage(path, "it is damaged or cut short. Copy it again from its source") from error
    if alpha < 255:
        raise UnreadableImage(path, f"expected a mask without transparency, found some. {_AS_GREY}")
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            return _of_colours(path, values, [colour for _, colour in colours or ()])
        values = values[..., 0]
    return _of_greys(path, values)


_GREYS = frozenset({"1", "L", "I", "F"}) | {"I;16", "I;16L", "I;16B", "I;16N"}


def _of_colours(path: Path, values: np.ndarray, colours: list[tuple]) -> tuple[np.ndarray, tuple[str, ...]]:
    """The mask of an image (H, W, 3) of two colours."""
    if len(colours) == 1:
        raise UnreadableImage(path, f"expected a mask of black and another colour, found one colour alone. {_AS_GREY}")
    if (0, 0, 0) not in colours:
        found = "none of them black" if colours else "more than two"
        raise UnreadableImage(path, f"expected a mask of two colours, one of them black, found {found}. {_AS_GREY}")
    return values.any(axis=2), ("mask in colour: all that is not black was taken",)


def _of_greys(path: Path, values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The mask of an image (H, W) of one channel."""
    found = np.unique(values)
    if np.isin(found, (0, 1)).all():
        return values > 0, ()
    listed = ", ".join(f"{value:g}" for value in found[:8].tolist()) + (", ..." if found.size > 8 else "")
    full = 65535 if found.max() > 255 else 255
    half = (full + 1) // 2
    if not (found.min() >= 0 and half <= found.max() <= full):  # also where a value is no number
        said = f"expected 0 and 1, or 0 and {full}, found the values {listed}: labels, or all dark. {_AS_GREY}"
        raise UnreadableImage(path, said)
    if np.isin(found, (0, full)).all():
        return values > 0, ()
    smear = _SMEAR * full // 255
    between = np.mean(values[values > smear] < full - smear)
    if 2 < found.size <= _LABELS and between > _BETWEEN:
        raise UnreadableImage(path, f"expected vessel or not, found the values {listed}, which seem labels. {_AS_GREY}")
    return values >= half, (f"mask not binary: values {listed}",)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image of a mask file with its size and frame count checked, its pixels not yet decoded."""
    try:
        with open_unpacked(path) as file, Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or width < 1 or height < 1:
                raise UnreadableImage(path, f"{width}x{height} pixels; at most {MAX_PIXELS:,} are read")
            if getattr(image, "n_frames", 1) > 1:
                raise UnreadableImage(path, f"expected one mask, found {image.n_frames} frames. Save them apart")
            yield image
    except UnidentifiedImageError as error:
        raise UnreadableImage(path, "not an image of a known format. Export it as PNG") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(path, f"too many pixels; at most {MAX_PIXELS:,} are read") from error
    except DECODE_ERRORS as error:
        raise UnreadableImage(path, "it is missing, damaged or cut short. Copy it again from its source") from error
