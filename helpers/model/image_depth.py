"""Bit depth of a grey still image, by its format or by a remark in the file.

A format that fixes the range (PGM's maxval, TIFF samples of 12 bits, the precision of JPEG 2000) decides for its file.
All others keep grey of 9 to 16 bits in 16 alike, and one picture does not show how many of them its detector has.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from PIL import Image, ImageFile

from .image_mode import is_deep_grey

BITS = 258
PHOTOMETRIC = 262
DESCRIPTION = 270
SAMPLES = 277
MAXIMUM = 281
PLANAR = 284
SIGNED_MAXIMUM = 341
DEPTH = 32997  # pictures in one page, behind each other
WHITE_IS_ZERO = 0
_WIDEST = 2**16 - 1
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Depth:
    """What a still image of more than 8 bits says of its grey.

    Attributes:
        full_scale: the value that is white by the file's format; None where the format leaves it open.
        shift: how far the decoder moved the values up.
        significant_bits: how many of 16 bits count by the file's remark (PNG's sBIT); None where it has none.
        noted_maximum: the largest value by the file's remark (TIFF's MaxSampleValue); None where it has none.
        is_float: whether the values are floats.
    """

    full_scale: int | None = None
    shift: int = 0
    significant_bits: int | None = None
    noted_maximum: int | None = None
    is_float: bool = False


def depth_of(image: ImageFile.ImageFile, file: IO[bytes] | None) -> Depth | None:
    """What an opened image says of its grey; None for 8 bits a channel and for colour.

    Args:
        file: that it was opened from; it stands where it stood afterwards. None for an image that is decoded already,
            of which only TIFF tags are left.
    """
    if not is_deep_grey(image):
        return None
    if file is None:
        return _depth_by_tags(image)
    position = file.tell()
    try:
        if image.format == "PPM":
            return Depth(full_scale=_maxval(image), is_float=image.mode == "F")
        if image.format == "JPEG2000":
            bits = _precision(file)
            return Depth() if bits is None else Depth(full_scale=2**bits - 1, shift=16 - bits)
        if image.format == "PNG":
            return Depth(significant_bits=_significant_bits(file))
    finally:
        file.seek(position)
    return _depth_by_tags(image)


def _depth_by_tags(image: ImageFile.ImageFile) -> Depth:
    tags = tags_of(image)
    bits, is_float = plain(tags.get(BITS)) or 16, image.mode == "F"
    if bits < 16:
        return Depth(full_scale=2**bits - 1)
    noted = [plain(tags.get(tag)) for tag in (MAXIMUM, SIGNED_MAXIMUM)]
    known = [number for number in noted if number is not None and 0 < number < _WIDEST]
    return Depth(noted_maximum=max(known) if known and not is_float else None, is_float=is_float)


def grey_values(image: Image.Image, depth: Depth) -> np.ndarray:
    """The values (H, W) of a decoded image as its file has them, integer or float: what the decoder moved, moved back.

    Args:
        depth: what `depth_of` found of it.
    """
    values = np.asarray(image)
    if depth.full_scale is None:
        return values
    if image.format == "PPM":  # stretched to 16 bits
        return np.rint(values * (depth.full_scale / _WIDEST)).astype(np.int64)
    return values.astype(np.int64) >> depth.shift


def _maxval(image: ImageFile.ImageFile) -> int | None:
    """The maxval of a deep PGM; None for 65535, which writers put whatever the depth, and for floats."""
    if image.mode == "F":
        return None
    args = image.tile[0][3]  # by place: older Pillow has plain tuples
    maxval = args[-1] if isinstance(args, tuple) else _WIDEST
    return None if maxval == _WIDEST else maxval


def _precision(file: IO[bytes]) -> int | None:
    """Bits of the first component of a JPEG 2000 file; None for 16, for signed ones and where it is not found."""
    file.seek(0)
    head = file.read(2**16)
    start = head.find(b"\xff\x4f\xff\x51")
    place = start + 42
    if start < 0 or place >= len(head):
        return None
    bits = head[place] + 1
    return bits if 8 < bits < 16 else None


def _significant_bits(file: IO[bytes]) -> int | None:
    """What the sBIT chunk of a grey PNG says; None where there is none, or it says 16."""
    file.seek(len(_PNG))
    while True:
        head = file.read(8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            return None
        (length,) = struct.unpack(">I", head[:4])
        if head[4:] == b"sBIT":
            body = file.read(1)
            return body[0] if body and 0 < body[0] < 16 else None
        file.seek(length + 4, 1)


def tags_of(image: Image.Image) -> Mapping[int, Any]:
    """The tags of a TIFF by number; empty for other images."""
    return getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}


def plain(value: Any) -> int | None:
    """A tag's one whole number; None for several, for other values and for a tag that is not there."""
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, int) else None
