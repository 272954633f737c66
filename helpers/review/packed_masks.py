"""Masks as texts, as the browser gives them back (docs/review.md)."""

import base64
import binascii
import zlib
from typing import Any

import numpy as np

_MAX_PIXELS = 1 << 28


def unpacked(text: Any, height: int, width: int) -> np.ndarray:
    """The mask of `helpers.review.payload.packed`, bool (H, W). Raises ValueError for anything else."""
    if not isinstance(text, str) or height * width > _MAX_PIXELS:
        raise ValueError(f"mask: expected a text, of a frame of at most {_MAX_PIXELS:,} pixels")
    expected, reader = -(-height * width // 8), zlib.decompressobj()
    try:
        found = reader.decompress(base64.b64decode(text, validate=True), expected + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"mask: expected packed pixels in base64 ({error})") from error
    if len(found) != expected or not reader.eof:
        more = "" if reader.eof else " or more"
        raise ValueError(f"mask: expected {expected} bytes of pixels for {width}x{height}, found {len(found)}{more}")
    return np.unpackbits(np.frombuffer(found, np.uint8), count=height * width).reshape(height, width).astype(bool)
