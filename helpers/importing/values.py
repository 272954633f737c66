"""What is in an imported file, and what its values mean."""

import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from helpers.errors import RefusedInput
from helpers.images.reading import DECODE_ERRORS, MAX_PIXELS

SUFFIXES = (".png", ".npz", ".npy")

# Stored for a mask's pixels: as far from 0 as a probability of 0.9997.
MASK_LOGIT = 8.0
_LEAST = 1e-4
_LABELS = 15


class Meaning(StrEnum):
    """What the values of all files are."""

    MASK = "mask"  # vessel where above 0
    PROBABILITY = "probability"  # 0 .. 1; integers by their type's largest value
    LOGIT = "logit"


@dataclass(frozen=True)
class Range:
    """What the values of one or several files span.

    Attributes:
        integer: whether all are of an integer type or bool.
        binary: whether each file holds no more than 0 and one of 1, 255 and 65535.
        low, high: the extremes.
    """

    integer: bool
    binary: bool
    low: float
    high: float


def read_values(path: Path) -> np.ndarray:
    """The values of a file, (H, W), bool, integer or floating, finite.

    A PNG is grey, of 8 or 16 bits. An array may have further sides of length 1, and one of length 2: background and
    vessel, of which the second counts. An .npz holds one array, or one named `probabilities`.

    Raises:
        RefusedInput: where the file is damaged or holds something else.
    """
    try:
        values = _png(path) if path.suffix.lower() == ".png" else _array(path)
        values = _plane(values)
        if values.dtype.kind not in "buif" or not np.isfinite(values).all():
            raise ValueError(f"finite numbers expected, found {values.dtype} or NaN or infinity")
    except (*DECODE_ERRORS, BadZipFile, EOFError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise RefusedInput(
            f"{path}: expected a grey PNG or an array (H, W), see docs/baselines.md ({error}). Export it again"
        ) from error
    return values


def range_of(values: np.ndarray) -> Range:
    """The range of one file."""
    found = np.unique(values)
    binary = found.size <= 2 and set(found.tolist()) - {0} in [set(), {1}, {255}, {65535}]
    return Range(values.dtype.kind in "bui", binary, float(found[0]), float(found[-1]))


def meaning_of(ranges: Iterable[Range]) -> Meaning:
    """What the values of a folder are, where the user does not say.

    Masks where all files are binary; else integers and what lies in 0 .. 1 are probabilities; else logits.

    Raises:
        RefusedInput: for integers that look like labels of classes, or below 0.
    """
    ranges = tuple(ranges)
    if all(found.binary for found in ranges):
        return Meaning.MASK
    low, high = min(found.low for found in ranges), max(found.high for found in ranges)
    if all(found.integer for found in ranges):
        if low < 0 or high <= _LABELS:
            raise RefusedInput(
                f"values: expected masks or probabilities, found integers from {low:g} to {high:g}, as labels of "
                "classes are. Export the vessel's class alone as 0 and 1"
            )
        return Meaning.PROBABILITY
    return Meaning.PROBABILITY if low >= 0 and high <= 1 else Meaning.LOGIT


def fits(found: Range, meaning: Meaning) -> bool:
    """Whether values of that range can have a meaning: only probabilities are bounded."""
    return meaning is not Meaning.PROBABILITY or (found.low >= 0 and (found.integer or found.high <= 1))


def to_logits(values: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Logits, float32 (H, W), of values that `fits` accepts."""
    if meaning is Meaning.MASK:
        return np.where(values > 0, MASK_LOGIT, -MASK_LOGIT).astype(np.float32)
    if meaning is Meaning.LOGIT:
        return values.astype(np.float32)
    share = values.astype(np.float64)
    if values.dtype.kind in "ui":
        share = share / np.iinfo(values.dtype).max
    share = np.clip(share, _LEAST, 1 - _LEAST)
    return np.log(share / (1 - share)).astype(np.float32)


def _png(path: Path) -> np.ndarray:
    with Image.open(io.BytesIO(path.read_bytes()), formats=("PNG",)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are read")
        if image.mode == "P":
            raise ValueError("a palette of colours")
        values = np.asarray(image)
    if values.ndim == 3:
        if (values[..., :3] != values[..., :1]).any() or values.shape[2] in (2, 4):
            raise ValueError("colours or transparency")
        values = values[..., 0]
    return values.astype(np.uint16) if values.dtype == np.int32 else values


def _array(path: Path) -> np.ndarray:
    found = np.load(path, allow_pickle=False)
    if isinstance(found, np.ndarray):
        return found
    with found:
        name = "probabilities" if "probabilities" in found.files else found.files[0] if len(found.files) == 1 else None
        if name is None:
            raise ValueError(f"one array or one named probabilities expected, found {len(found.files)}")
        return found[name]


def _plane(values: np.ndarray) -> np.ndarray:
    if values.ndim > 2 and values.shape[0] == 2:
        values = values[1]
    while values.ndim > 2 and 1 in values.shape[:-2]:
        values = values.squeeze(axis=values.shape.index(1))
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"(H, W) expected, found {values.shape}")
    return values
