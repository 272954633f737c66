"""Still image files: which formats are read, what of them is not a single picture, and how a picture is turned upright.

Header, depth and orientation of a file are judged here alike for `vesselkit` and for an exported model.
"""

import gzip
import os
import struct
import zlib
from io import BytesIO
from typing import IO

from PIL import Image, ImageFile

from .image_depth import BITS, PHOTOMETRIC, WHITE_IS_ZERO, tags_of
from .image_mode import is_deep_grey
from .image_stacks import stack_reason

MAX_PIXELS = 64_000_000

# A closed list: formats left out would start other programs (EPS) or are not frames.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")

# Of a gzipped file, STARE's, when unpacked: 24-bit colour without compression, and a header.
MAX_UNPACKED = 3 * MAX_PIXELS + 4096

# What Pillow's decoders raise on damaged files, besides OSError.
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnfitImage(ValueError):
    """An image that cannot be read faithfully; the text says why and what to do, without naming a file."""


def open_unpacked(path: str | os.PathLike) -> IO[bytes]:
    """The bytes of an image file, those of a `.gz` unpacked in memory.

    Raises `UnfitImage` where it is not a regular file or unpacks to more than an image may have, and what `gzip` raises
    on damaged ones.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would wait for its writer
        raise UnfitImage("expected an image file, found no regular file. Replace it by one")
    if not os.fspath(path).lower().endswith(".gz"):
        return open(path, "rb")
    with gzip.open(path) as packed:
        content = packed.read(MAX_UNPACKED + 1)
    if len(content) > MAX_UNPACKED:
        raise UnfitImage(f"it unpacks to more than {MAX_UNPACKED:,} bytes. Check where it is from")
    return BytesIO(content)


def size_reason(image: Image.Image, max_pixels: int = MAX_PIXELS) -> str | None:
    """Why an image of this size is not read; None where it is."""
    width, height = image.size
    if width < 1 or height < 1:
        return f"the image has no pixels ({width}x{height}). Export it again"
    if width * height > max_pixels:
        found = f"{width}x{height} = {width * height:,} pixels"
        return f"{found}; at most {max_pixels:,} are read. Shrink or crop it"
    return None


def layout_reason(image: ImageFile.ImageFile, file: IO[bytes] | None) -> str | None:
    """Why an opened image is not one picture that Pillow decodes whole; None where it is.

    Args:
        file: see `stack_reason`.
    """
    reason = stack_reason(image, file)
    if reason is not None:
        return reason
    layouts = [str(tile[3]) for tile in image.tile]
    tags = tags_of(image)
    samples = tags.get(BITS) or (8,)
    is_cut = image.mode not in {"I", "F"} and not image.mode.startswith("I;")
    if is_cut and (any(";16" in layout for layout in layouts) or max(samples) > 8):
        reason = f"16 bits per channel in colour or with alpha (read as {image.mode}) would be cut to 8 bits."
        return f"{reason} Save it as 16-bit grey or as 8-bit"
    if is_deep_grey(image) and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        return "grey of more than 8 bits with white as 0 would come out inverted. Save it with black as 0"
    return None


def upright(image: Image.Image, orientation: int | None) -> Image.Image:
    """An image turned as its EXIF orientation says; unknown ones and None leave it as it is."""
    return image.transpose(_TRANSPOSITIONS[orientation]) if orientation in _TRANSPOSITIONS else image


def is_turned(orientation: int | None) -> bool:
    """Whether an EXIF orientation asks for a turn or a flip."""
    return orientation in _TRANSPOSITIONS
