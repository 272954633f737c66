"""Bicubic resizes of bytes, bit for bit as Pillow and PyTorch make them on a processor, on any device.

One thread of a processor needs tens of milliseconds for them, and PyTorch has none of bytes on a GPU. Both libraries
filter rows, round to 8 bits, then filter columns, or the other way round, in integers: Pillow's weights have 22
fractional bits, those of PyTorch as many as let the largest fit into 16 bits. So does this. Which way goes first
depends on the sizes and on the library's version: it is found out by trying.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from .processing_sa2va import tile_grid

_SUPPORT = 2.0  # of the bicubic filter, in input pixels where the image grows
_MOST_BITS = 22

Size = tuple[int, int]  # height and width


class PassOrder(Enum):
    """Which pass comes first."""

    ROWS = "rows"
    COLUMNS = "columns"


class Resampler(Enum):
    """Whose resize of bytes, bicubic and antialiased."""

    PILLOW = "Pillow"
    TORCH = "PyTorch"


def _bicubic(distance: np.ndarray) -> np.ndarray:
    """The cubic kernel of Keys (1981) with a = -1/2, at distances in pixels."""
    d = np.abs(distance)
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0.0))


def filter_taps(size: int, wanted: int, resampler: Resampler) -> tuple[np.ndarray, np.ndarray, int]:
    """Which of `size` pixels make each of `wanted` ones, int64 (K, wanted), their weights, and the weights' unit.

    Where fewer than K count, the weights of the others are 0. Weights are int32 (K, wanted), in units of 2 ** -bits.
    """
    scale = size / wanted
    stretch = max(scale, 1.0)
    support = _SUPPORT * stretch
    centres = (np.arange(wanted) + 0.5) * scale
    first = np.maximum((centres - support + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + support + 0.5).astype(np.int64), size)
    taps = first + np.arange((last - first).max())[:, None]
    weights = np.where(taps < last, _bicubic((taps - centres + 0.5) * (1.0 / stretch)), 0.0)
    total = np.zeros(wanted)
    for weight in weights:  # one after the other, as both libraries add them
        total = total + weight
    shares = weights / total
    bits = _MOST_BITS if resampler is Resampler.PILLOW else _bits_of_16(float(shares.max()))
    shares = shares * (1 << bits)
    return np.minimum(taps, size - 1), np.trunc(shares + np.copysign(0.5, shares)).astype(np.int32), bits


def _bits_of_16(largest: float) -> int:
    """The most fractional bits, up to 22, with which a weight fits into a signed integer of 16 bits."""
    return max((bits for bits in range(_MOST_BITS + 1) if int(0.5 + largest * (1 << bits)) < 1 << 15), default=0)


# As many as all sizes of a run have: what leaves the cache might still be read on another stream of the device.
@lru_cache(maxsize=256)
def _taps(size: int, wanted: int, resampler: Resampler, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, int]:
    taps, weights, bits = filter_taps(size, wanted, resampler)
    return torch.from_numpy(taps.reshape(-1)).to(device), torch.from_numpy(weights).to(device), bits


@dataclass(frozen=True)
class Resize:
    """A resize to a height and a width."""

    height: int
    width: int
    resampler: Resampler
    order: PassOrder

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Images uint8 (..., H, W) as uint8 (..., height, width)."""
        for step in (self.order, *(other for other in PassOrder if other is not self.order)):
            if step is PassOrder.ROWS and pixels.shape[-1] != self.width:
                pixels = self._filtered(pixels, self.width)
            if step is PassOrder.COLUMNS and pixels.shape[-2] != self.height:
                pixels = self._filtered(pixels.transpose(-1, -2), self.height).transpose(-1, -2)
        return pixels

    def _filtered(self, pixels: torch.Tensor, wanted: int) -> torch.Tensor:
        """The last axis filtered to `wanted` pixels."""
        taps, weights, bits = _taps(pixels.shape[-1], wanted, self.resampler, pixels.device)
        chosen = pixels.index_select(-1, taps).unflatten(-1, weights.shape).int()
        sums = chosen.mul_(weights).sum(-2, dtype=torch.int32).add_((1 << bits) // 2)
        return (sums >> bits).clamp_(0, 255).to(torch.uint8)


def _by_pillow(pixels: np.ndarray, wanted: Size) -> torch.Tensor:
    image = Image.fromarray(pixels).resize(wanted[::-1], Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _by_torch(pixels: np.ndarray, wanted: Size) -> torch.Tensor:
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return interpolate(planes, size=wanted, mode="bicubic", antialias=True, align_corners=False)[0]


_LIBRARIES: dict[Resampler, Callable[[np.ndarray, Size], torch.Tensor]] = {
    Resampler.PILLOW: _by_pillow,
    Resampler.TORCH: _by_torch,
}


@lru_cache(maxsize=256)
def find_resize(size: Size, wanted: Size, resampler: Resampler) -> Resize | None:
    """The resize as the library at hand makes it, found on noise; None where its bytes are not met."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = _LIBRARIES[resampler](noise, wanted)
    planes = torch.from_numpy(noise).permute(2, 0, 1)
    for order in PassOrder:
        resize = Resize(*wanted, resampler, order)
        if torch.equal(resize(planes), expected):
            return resize
    return None


@dataclass(frozen=True)
class Tiling:
    """How a model's images become tiles, see `Sa2VAConfig`."""

    min_tiles: int
    max_tiles: int
    tile_size: int
    use_thumbnail: bool

    def find(self, height: int, width: int) -> "Tiles | None":
        """The tiles of images of a size; None where Pillow's bytes are not met."""
        side = self.tile_size
        columns, rows = tile_grid(width, height, self.min_tiles, self.max_tiles, side)
        grid = find_resize((height, width), (side * rows, side * columns), Resampler.PILLOW)
        several = self.use_thumbnail and rows * columns > 1
        thumbnail = find_resize((height, width), (side, side), Resampler.PILLOW) if several else None
        return None if grid is None or (several and thumbnail is None) else Tiles(rows, columns, side, grid, thumbnail)


@dataclass(frozen=True)
class Tiles:
    """How images of one size become tiles.

    Attributes:
        rows, columns: of tiles.
        side: of a tile in pixels.
        grid: resize to all of them.
        thumbnail: None where there is none.
    """

    rows: int
    columns: int
    side: int
    grid: Resize
    thumbnail: Resize | None

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Tiles uint8 (B, T, 3, side, side), the thumbnail last, of (B, 3, H, W)."""
        parts = self.grid(pixels).unflatten(-1, (self.columns, self.side)).unflatten(-3, (self.rows, self.side))
        tiles = parts.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
        return tiles if self.thumbnail is None else torch.cat([tiles, self.thumbnail(pixels)[:, None]], 1)


@dataclass(frozen=True)
class TwoResizes:
    """A whole picture by Pillow's resize and then PyTorch's, to the sizes given."""

    first: Size
    second: Size

    def find(self, height: int, width: int) -> "Picture | None":
        """Both resizes of images of a size; None where the bytes of either are not met."""
        first = find_resize((height, width), self.first, Resampler.PILLOW)
        second = find_resize(self.first, self.second, Resampler.TORCH)
        return None if first is None or second is None else Picture(first, second)


@dataclass(frozen=True)
class Picture:
    """How images of one size become a picture each."""

    first: Resize
    second: Resize

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pictures uint8 (B, 1, 3, h, w) of (B, 3, H, W)."""
        return self.second(self.first(pixels))[:, None]


@dataclass(frozen=True)
class Resizes:
    """How a device makes the inputs of a model from images of one size, with the bytes of a processor.

    Attributes:
        shown: what the language model sees; None where a processor must make it.
        square: what SAM2 sees.
    """

    shown: Callable[[torch.Tensor], torch.Tensor] | None
    square: Resize


def find_resizes(height: int, width: int, shown: Tiling | TwoResizes | None, square: int) -> Resizes | None:
    """The resizes of images of a size.

    Args:
        shown: how the language model sees them; None where that is not known.
        square: side of SAM2's input in pixels.
    Returns:
        None where Pillow's bytes are not met for the square.
    """
    whole = find_resize((height, width), (square, square), Resampler.PILLOW)
    return None if whole is None else Resizes(None if shown is None else shown.find(height, width), whole)
