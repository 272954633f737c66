"""Read one frame from an image file as 8-bit RGB, and list the frames of a folder.

The grey rule is that of `helpers.model.image_mode`, with the range of the file's format or of its data set where these
are known. What cannot be read faithfully is refused, never guessed.
"""

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from helpers.core.errors import RefusedInput, in_words
from helpers.model import image_file
from helpers.model.image_depth import Depth, depth_of, grey_values
from helpers.model.image_file import (
    DECODE_ERRORS,
    FORMATS,
    MAX_PIXELS,
    UnfitImage,
    layout_reason,
    size_reason,
    upright,
)
from helpers.model.image_mode import bit_depth_for, require_opaque, scale_grey, to_rgb
from helpers.model.image_stacks import PLANES_REASON, is_in_planes, planes_differ

__all__ = [
    "QUARTER_TURNS",
    "DECODE_ERRORS",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "BadSize",
    "DecoderFailure",
    "Grey",
    "UnreadableImage",
    "image_depth",
    "image_grey",
    "natural_key",
    "open_unpacked",
    "read_image",
    "to_rgb",
    "upright",
]


IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".pnm", ".pbm", ".jp2"}
)

Result = TypeVar("Result")

# Bits as a number of them: floats of 0 to 1 have the full scale 2**1 - 1.
UNIT = 1

QUARTER_TURNS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height

_WIDEST = 2**16 - 1
_PNG = b"\x89PNG\r\n\x1a\n"
# First bytes of formats that hold no more than 8 bits a channel here.
_SHALLOW = (b"\xff\xd8\xff", b"GIF8", b"BM", b"P1", b"P3", b"P4", b"P6")


class UnreadableImage(RefusedInput):
    """One image file was refused.

    `reason` says why and what to do, without the file's name, which may hold a patient's.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


class DecoderFailure(UnreadableImage):
    """A decoder failed on an image in a way that is not foreseen."""


class BadSize(UnreadableImage):
    """An image without pixels, or with more than are read."""


@dataclass(frozen=True)
class Grey:
    """The values of a still image of more than 8 bits.

    Attributes:
        largest: of its values, as its file has them.
        is_widened: whether integers of its `significant_bits` were brought to 16; False where it states none.
    """

    largest: float
    is_widened: bool = False


def read_image(path: Path, max_pixels: int = MAX_PIXELS, bits: int | None = None) -> Image.Image:
    """Read the single frame in `path` as mode RGB, uint8, with its EXIF orientation applied.

    The pixel count is checked from the header, before anything is decoded. Raises `UnreadableImage` for a file that
    is missing, empty, damaged, cut short, no known image, larger than `max_pixels`, of several frames, or of more
    than 8 bits in a layout that Pillow would cut to 8; and for grey values that `bits` do not hold.

    Args:
        bits: depth of grey of more than 8 bits whose format states no range: 0 .. 2**bits - 1 become 0 .. 255. None
            takes the smallest depth that holds the image's own maximum.
    """
    path = Path(path)

    def finish(image: ImageFile.ImageFile, depth: Depth | None) -> Image.Image:
        # Read after load(): for TIFF, Pillow has then applied and removed the tag by itself.
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        return upright(_to_rgb(path, image, depth, bits), orientation)

    return _read(path, max_pixels, finish)


def image_depth(path: Path) -> Depth | None:
    """What the header of a still image says of its grey; None for 8 bits, colour and what cannot be read."""
    path = Path(path)
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return None
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as start:
            if not may_be_deep(start.read(132)):
                return None
        with open_unpacked(path) as file, Image.open(file, formats=FORMATS) as image:
            return depth_of(image, file)
    except (UnreadableImage, UnidentifiedImageError, Image.DecompressionBombError, *DECODE_ERRORS):
        return None  # whoever reads the frame says why


def image_grey(path: Path, max_pixels: int = MAX_PIXELS) -> Grey:
    """The largest value of a still image of more than 8 bits; it is decoded. Raises as `read_image`, and for others."""
    path = Path(path)

    def finish(image: ImageFile.ImageFile, depth: Depth | None) -> Grey:
        if depth is None:
            raise UnreadableImage(path, "expected grey of more than 8 bits, found another image. Open the data again")
        values = grey_values(image, depth)
        if not values.size or not np.isfinite(values).all() or values.min() < 0:
            found = f"{values.min():g} to {values.max():g}" if values.size else "none"
            raise UnreadableImage(path, f"expected grey values from 0 on, found {found}. Rescale the image first")
        bits = depth.significant_bits
        return Grey(float(values.max()), bits is not None and is_widened(values, bits))

    return _read(path, max_pixels, finish)


def _read(path: Path, max_pixels: int, finish: Callable[[ImageFile.ImageFile, Depth | None], Result]) -> Result:
    """Check, decode and `finish` an image, which is open meanwhile. Raises as `read_image`."""
    try:
        if not path.is_file():
            raise UnreadableImage(
                path, "expected an image file, found none (missing, or not a regular file). Check the path"
            )
        if path.stat().st_size == 0:
            raise UnreadableImage(path, "the file is empty (0 bytes). Copy it again from its source")
        # Open files are handed to Pillow, not paths: from a path it maps raw TIFF data into memory and then
        # turns a frame with an EXIF orientation wrongly.
        with open_unpacked(path) as file, Image.open(file, formats=FORMATS) as image:
            _check_header(path, image, file, max_pixels)
            image.verify()  # finds bad checksums, but leaves the object unusable: hence the second opening
        with open_unpacked(path) as file, Image.open(file, formats=FORMATS) as image:
            depth, in_planes = depth_of(image, file), is_in_planes(image)
            image.load()
            if in_planes and planes_differ(image):
                raise UnreadableImage(path, PLANES_REASON)
            return finish(image, depth)
    except Image.DecompressionBombError as error:
        raise BadSize(path, f"too many pixels; at most {max_pixels:,} are read. Shrink or crop it") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(
            path, f"not an image of a known format ({', '.join(FORMATS)}). Export it as PNG"
        ) from error
    except DECODE_ERRORS as error:
        words = in_words(error) if isinstance(error, OSError) else None
        if words is not None:  # the disk, not the image
            raise UnreadableImage(path, f"{words.found}. {words.advice}") from error
        detail = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        reason = f"the image cannot be decoded ({detail}): it is damaged or cut short. Copy it again from its source"
        raise UnreadableImage(path, reason) from error


def open_unpacked(path: Path) -> IO[bytes]:
    """As `helpers.model.image_file.open_unpacked`, but raises `UnreadableImage`."""
    try:
        return image_file.open_unpacked(path)
    except UnfitImage as error:
        raise UnreadableImage(path, str(error)) from error


def _to_rgb(path: Path, image: Image.Image, depth: Depth | None, bits: int | None) -> Image.Image:
    try:
        require_opaque(image)
        if depth is not None and depth.full_scale is not None:
            frame = _scaled(grey_values(image, depth), depth.full_scale)
        elif depth is not None and bits is not None:
            frame = _scaled_by_bits(path, grey_values(image, depth), bits)
        else:
            frame = to_rgb(image).copy()
    except ValueError as error:
        raise UnreadableImage(path, str(error)) from error
    frame.info = {}  # comments, EXIF and the like can name a patient, and would be saved again with the pixels
    return frame


def _scaled(values: np.ndarray, full_scale: int) -> Image.Image:
    """Grey `values` (H, W), of which `full_scale` is white."""
    return Image.fromarray(scale_grey(values, full_scale)).convert("RGB")


def _scaled_by_bits(path: Path, values: np.ndarray, bits: int) -> Image.Image:
    """Grey `values` (H, W) by the range of the data set's `bits`."""
    full_scale = 2**bits - 1
    if values.size and values.max() > full_scale:
        raise UnreadableImage(
            path,
            f"found grey values up to {values.max():g}, and the {bits} bits of its data set end at {full_scale}. "
            "`vesselkit data check DATASET --bits N --save` decides otherwise",
        )
    return _scaled(values, full_scale)


def _check_header(path: Path, image: ImageFile.ImageFile, file: IO[bytes], max_pixels: int) -> None:
    """Refuse by size, frame count and pixel layout, all known before decoding."""
    reason = size_reason(image, max_pixels)
    if reason is not None:
        raise BadSize(path, reason)
    reason = layout_reason(image, file)
    if reason is not None:
        raise UnreadableImage(path, reason)


def natural_key(name: str) -> tuple:
    """Sort key that orders `frame2` before `frame10`; names equal but for case or zeros stay in a fixed order."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((1, int(part), "") if index % 2 else (0, 0, part) for index, part in enumerate(parts)), name


def may_be_deep(head: bytes) -> bool:
    """Whether a file may hold more than 8 bits a pixel, by its first 132 bytes; DICOM files are none of these."""
    if head.startswith(_PNG):
        return len(head) > 24 and head[24] > 8
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return not (head.startswith(_SHALLOW) or is_webp or head[128:132] == b"DICM")


def is_widened(values: np.ndarray, bits: int) -> bool:
    """Whether integer `values` of `bits` bits were brought to 16 as PNG wants it, all in one of the usual ways."""
    wide = values.astype(np.int64)
    narrow = wide >> (16 - bits)
    repeated, filled = narrow << (16 - bits), 16 - bits
    while filled > 0:
        repeated |= narrow << (filled - bits) if filled >= bits else narrow >> (bits - filled)
        filled -= bits
    ways = (
        narrow << (16 - bits),
        repeated,
        np.rint(np.rint(wide * ((2**bits - 1) / _WIDEST)) * (_WIDEST / (2**bits - 1))),
    )
    return any(np.array_equal(wide, way) for way in ways)


def bits_for(maximum: float) -> int:
    """The depth of 8, 10, 12, 14 or 16 bits that holds `maximum`. Raises ValueError above 65535."""
    return bit_depth_for(int(np.ceil(maximum)))
