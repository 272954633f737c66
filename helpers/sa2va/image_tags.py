"""TIFF tags that say what the pixels of a file are."""

from collections.abc import Mapping
from typing import Any

from PIL import Image

BITS = 258
PHOTOMETRIC = 262
DESCRIPTION = 270
SAMPLES = 277
MAXIMUM = 281
PLANAR = 284
SIGNED_MAXIMUM = 341
DEPTH = 32997  # pictures in one page, behind each other

WHITE_IS_ZERO = 0


def tags_of(image: Image.Image) -> Mapping[int, Any]:
    """The tags of a TIFF by number; empty for other images."""
    return getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}


def plain(value: Any) -> int | None:
    """A tag's one whole number; None for several, for other values and for a tag that is not there."""
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, int) else None
