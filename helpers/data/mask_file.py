"""Mask files: vessel or not, from any image format that data sets are published in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from helpers.images.reading import DECODE_ERRORS, MAX_PIXELS, UnreadableImage, open_unpacked

_FORMATS = ("PNG", "TIFF", "GIF", "BMP", "PPM", "JPEG")
_THRESHOLD = 128


def mask_size(path: Path) -> tuple[int, int]:
    """Width and height of a mask file in pixels, from its header. Raises `UnreadableImage`."""
    with _opened(path) as image:
        return image.size


def read_mask(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read a mask: 0 and 255, or 0 and 1; else what is 128 or more, of 255, is vessel.

    Of a coloured image the first channel counts. Of a palette of colours the indices 0 and 1 count.

    Returns:
        The mask, bool (H, W), and remarks such as `mask not binary: values 0, 17, 255`, without names.
    Raises:
        UnreadableImage: where the file is missing, damaged, too large, of several frames or of more than two palette
            colours.
    """
    with _opened(path) as image:
        try:
            image.load()
            coloured = image.mode == "P" and _is_coloured(image)
            if image.mode == "1" or (image.mode == "P" and not coloured):
                image = image.convert("L")
            elif image.mode == "CMYK" or image.mode == "YCbCr":
                image = image.convert("RGB")
            values = np.asarray(image)
        except Image.DecompressionBombError as error:
            raise UnreadableImage(path, f"too many pixels; at most {MAX_PIXELS:,} are read") from error
        except DECODE_ERRORS as error:
            raise UnreadableImage(path, "it is damaged or cut short. Copy it again from its source") from error
    remarks = []
    if values.ndim == 3:
        colours = values[..., : 3 if values.shape[2] >= 3 else 1]
        if (colours != colours[..., :1]).any():
            remarks.append("mask in colour: its first channel was taken")
        values = values[..., 0]
    if coloured and values.max() > 1:
        raise UnreadableImage(path, "expected a mask of two colours, found more. Export it as grey with 0 and 255")
    found = np.unique(values)
    if coloured or (found.max() <= 1 and found.min() >= 0 and np.issubdtype(values.dtype, np.integer)):
        return values > 0, tuple(remarks)
    full = 65535 if found.max() > 255 else 255
    if not np.isin(found, (0, full)).all():
        listed = ", ".join(f"{value:g}" for value in found[:8].tolist())
        remarks.append(f"mask not binary: values {listed}{', ...' if found.size > 8 else ''}")
    return values >= (_THRESHOLD if full == 255 else 32768), tuple(remarks)


def _is_coloured(image: Image.Image) -> bool:
    palette = np.reshape(image.getpalette("RGB"), (-1, 3))
    used = palette[[index for _, index in image.getcolors(256) or () if index < len(palette)]]
    return bool((used != used[:, :1]).any())


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
