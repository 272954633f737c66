"""Tells masks from frames by their pixels; a few files tell what their folder holds."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.data.frames.image_reading import DECODE_ERRORS, MAX_PIXELS, UnreadableImage, open_unpacked

# Pixels are counted on a grid of at most this side.
_SIDE = 256
# Masks and labels come in few values. A tiny frame has few pixels, and so few values without being a mask.
_MOST_VALUES = 40
_PIXELS_A_VALUE = 16
# What JPEG or smooth edges leave of a mask: nearly all pixels close to black or to the brightest value.
_ENDS = 0.9
_CLOSE = 1 / 16
_BLACK = 0.5
_LEAST = 0.001
# A PNG of few values is far smaller than this, bytes a pixel, but for tiny ones.
_PACKED = 0.75
_TINY = 10_000


class PixelLook(Enum):
    """What an image file looks like."""

    FRAME = "frame"  # many values
    MASK = "mask"  # few values, black the most frequent, or black and white alone
    FEW = "few values"  # else
    BLACK = "black"  # nothing but black: an empty mask, or a frame that shows nothing
    PLAIN = "one value"  # another one
    UNKNOWN = "unknown"  # not readable, or of several frames


_MASKS = frozenset({PixelLook.MASK})
_FEW = frozenset({PixelLook.MASK, PixelLook.FEW})


@dataclass(frozen=True)
class Sample:
    """What some files look like."""

    looks: tuple[PixelLook, ...]

    @property
    def masks(self) -> bool:
        """Whether most of those that show anything look like masks."""
        return self._most(_MASKS)

    @property
    def few_valued(self) -> bool:
        """Whether most of those that show anything have few values."""
        return self._most(_FEW)

    @property
    def frames(self) -> bool:
        """Whether most of those that show anything are frames beyond doubt."""
        return self._most(frozenset({PixelLook.FRAME}))

    @property
    def black(self) -> bool:
        """Whether all are black."""
        return set(self.looks) == {PixelLook.BLACK}

    @property
    def mixed(self) -> bool:
        """Whether some are masks and some are frames."""
        return {PixelLook.MASK, PixelLook.FRAME} <= set(self.looks)

    def _most(self, wanted: frozenset[PixelLook]) -> bool:
        counts = Counter(self.looks)
        count = sum(counts[look] for look in wanted)
        return count > sum(counts[look] for look in (PixelLook.FRAME, PixelLook.MASK, PixelLook.FEW)) - count


def sample(paths: Iterable[Path], most: int) -> Sample:
    """What at most `most` of the files look like: always the same ones, whatever their order, spread over all names."""
    return Sample(tuple(map(look, chosen(paths, most))))


def chosen(paths: Iterable[Path], most: int) -> Sequence[Path]:
    """At most `most` of the paths, by digests of their names, so that no pattern in them biases the choice."""
    return sorted(paths, key=lambda path: hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).digest())[:most]


def look(path: Path) -> PixelLook:
    """What an image file looks like."""
    try:
        state = path.stat()
    except OSError:
        return PixelLook.UNKNOWN
    return _look(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8192)
def _look(path: Path, size: int, changed: int) -> PixelLook:
    """As `look`; `changed` is there so that a file that was written again is looked at again."""
    try:
        with open_unpacked(path) as file, Image.open(file) as image:
            pixels = image.width * image.height
            if not 0 < pixels <= MAX_PIXELS or getattr(image, "n_frames", 1) > 1:
                return PixelLook.UNKNOWN
            if image.format == "PNG" and pixels >= _TINY and size > _PACKED * pixels:
                return PixelLook.FRAME
            values = np.asarray(_shown(image))
    except (*DECODE_ERRORS, UnreadableImage, Image.DecompressionBombError):
        return PixelLook.UNKNOWN
    return look_of(values)


def look_of(values: np.ndarray) -> PixelLook:
    """What an image, (H, W) or (H, W, 3) of any type of number, looks like."""
    step = -(-max(values.shape[:2]) // _SIDE)
    return _of_values(_in_one_channel(values[::step, ::step]))


_GREYS = frozenset({"L", "I", "F"})


def _shown(image: Image.Image) -> Image.Image:
    """An image in grey or RGB; of one that is of one colour and transparent in parts, how transparent it is."""
    if image.mode in _GREYS or image.mode.startswith("I;"):
        return image
    if image.mode in {"RGBA", "LA"}:
        alpha, colours = image.getchannel("A"), image.convert("RGB")
        if len(colours.getcolors(1) or ()) == 1 and len(set(alpha.getextrema())) > 1:
            return alpha
        return colours
    return image.convert("RGB")


def _in_one_channel(values: np.ndarray) -> np.ndarray:
    """Greys as they are; of colours a code for each."""
    if values.ndim == 2:
        return values
    wide = values.astype(np.int64)
    if np.ptp(wide, axis=2).max() <= 8:  # grey, but for what JPEG does to colours
        return wide[..., 0]
    return (wide[..., 0] << 16) + (wide[..., 1] << 8) + wide[..., 2]


def _of_values(values: np.ndarray) -> PixelLook:
    """What the values of an image (H, W) look like."""
    if not np.isfinite(values).all():
        return PixelLook.UNKNOWN
    distinct = np.unique(values)
    if distinct.size == 1:
        return PixelLook.PLAIN if distinct[0] else PixelLook.BLACK
    if distinct.size <= max(2, min(_MOST_VALUES, values.size // _PIXELS_A_VALUE)):
        black = np.mean(values == 0) >= _BLACK
        plain = distinct.size == 2 and distinct[0] == 0 and distinct[1] in {1, 255, 65535}
        return PixelLook.MASK if black or plain else PixelLook.FEW
    top = float(distinct[-1])
    if distinct[0] < 0 or top > 65535 or top <= 0:
        return PixelLook.FRAME
    dark, bright = np.mean(values <= _CLOSE * top), np.mean(values >= (1 - _CLOSE) * top)
    return PixelLook.MASK if dark + bright >= _ENDS and min(dark, bright) >= _LEAST else PixelLook.FRAME
