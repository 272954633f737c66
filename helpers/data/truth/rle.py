"""Masks and COCO run-length codes.

Runs go down the columns and start with the length of a run outside the mask. The compressed string is COCO's: runs from
the fourth on as a difference to the one two before, in groups of 5 bits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from helpers.data.frames.image_reading import MAX_PIXELS


class BadRle(ValueError):
    """A run-length code that no mask has. Its text says why."""


def encode(mask: np.ndarray) -> dict[str, Any]:
    """Compressed COCO code of a mask.

    Args:
        mask: bool (H, W).
    Returns:
        `size` [H, W] and `counts`, text.
    """
    code = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode("ascii")}


def decode(code: Mapping[str, Any]) -> np.ndarray:
    """The mask of a compressed or plain COCO code, bool (H, W).

    The runs are checked before anything is drawn, for the library's own decoder trusts them.

    Raises:
        BadRle: where `size` or `counts` are missing or damaged, or the runs do not fill the image.
    """
    height, width = code_size(code)
    counts = code.get("counts")
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    runs = _parse(counts) if isinstance(counts, str) else _plain(counts)
    if sum(runs) != height * width:
        raise BadRle(f"the runs cover {sum(runs)} pixels of an image of {width}x{height} = {width * height}")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape((height, width), order="F")


def code_size(code: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of a code, in pixels. Raises BadRle where they are missing or absurd."""
    size = code.get("size")
    if not isinstance(size, Sequence) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise BadRle("expected size [height, width] in whole pixels")
    if size[0] * size[1] > MAX_PIXELS:
        raise BadRle(f"an image of {size[1]}x{size[0]} pixels is too large; at most {MAX_PIXELS:,} are read")
    return size[0], size[1]


def _plain(counts: Any) -> list[int]:
    if not isinstance(counts, list) or not all(type(run) is int and run >= 0 for run in counts):
        raise BadRle("expected counts as text or a list of whole numbers that are not negative")
    return counts


def _parse(text: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 30:
            raise BadRle("the compressed counts hold a character or a number that COCO's code has not")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        run = value + (runs[-2] if len(runs) > 2 else 0)
        if run < 0:
            raise BadRle("the compressed counts hold a negative run")
        runs.append(run)
        value = shift = 0
    if shift:
        raise BadRle("the compressed counts are cut short")
    return runs
