"""Pillow's bicubic resize, bit for bit, on any device: one thread of a processor needs tens of milliseconds for it.

Pillow filters rows, rounds to 8 bits, then filters columns, or the other way round, in integers of 22 fractional bits.
So does this. Which way goes first depends on the sizes and on Pillow's version: it is found out by trying.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from helpers.model.processing_sa2va import tile_grid

_SUPPORT = 2.0  # of the bicubic filter, in input pixels where the image grows
_ONE = 1 << 22


class PassOrder(Enum):
    """Which pass comes first."""

    ROWS = "rows"
    COLUMNS = "columns"


def _bicubic(distance: np.ndarray) -> np.ndarray:
    """The cubic kernel of Keys (1981) with a = -1/2, at distances in pixels."""
    d = np.abs(distance)
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0.0))


def filter_taps(size: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of `size` pixels make each of `wanted` ones, int64 (K, wanted), and their weights in units of 2 ** -22.

    Where fewer than K count, the weights of the others are 0. Weights are int32 (K, wanted).
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
    for weight in weights:  # one after the other, as Pillow adds them
        total = total + weight
    shares = weights / total * _ONE
    return np.minimum(taps, size - 1), np.trunc(shares + np.copysign(0.5, shares)).astype(np.int32)


# As many as all sizes of a run have: what leaves the cache might still be read on another stream of the device.
@lru_cache(maxsize=256)
def _taps(size: int, wanted: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    taps, weights = filter_taps(size, wanted)
    return torch.from_numpy(taps.reshape(-1)).to(device), torch.from_numpy(weights).to(device)


def resize(pixels: torch.Tensor, height: int, width: int, order: PassOrder) -> torch.Tensor:
    """Images uint8 (..., H, W) as uint8 (..., height, width), as `Image.resize` with BICUBIC makes them."""
    for step in (order, *(other for other in PassOrder if other is not order)):
        if step is PassOrder.ROWS and pixels.shape[-1] != width:
            pixels = _filtered(pixels, width)
        if step is PassOrder.COLUMNS and pixels.shape[-2] != height:
            pixels = _filtered(pixels.transpose(-1, -2), height).transpose(-1, -2)
    return pixels


def _filtered(pixels: torch.Tensor, wanted: int) -> torch.Tensor:
    """The last axis filtered to `wanted` pixels."""
    taps, weights = _taps(pixels.shape[-1], wanted, pixels.device)
    chosen = pixels.index_select(-1, taps).unflatten(-1, weights.shape).int()
    sums = chosen.mul_(weights).sum(-2, dtype=torch.int32).add_(_ONE // 2)
    return (sums >> 22).clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=256)
def pillow_order(size: tuple[int, int], wanted: tuple[int, int]) -> PassOrder | None:
    """The order in which the Pillow at hand resizes, found on noise; None where neither gives its bytes.

    Args:
        size, wanted: height and width.
    """
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(noise).resize(wanted[::-1], Image.Resampling.BICUBIC))
    planes = torch.from_numpy(noise).permute(2, 0, 1)
    for order in PassOrder:
        if np.array_equal(resize(planes, *wanted, order).permute(1, 2, 0).numpy(), expected):
            return order
    return None


@dataclass(frozen=True)
class Tiling:
    """How a model's images become tiles, see `Sa2VAConfig`."""

    min_tiles: int
    max_tiles: int
    tile_size: int
    use_thumbnail: bool


@dataclass(frozen=True)
class Resizes:
    """How an image of one size becomes the inputs of a model, as Pillow does it.

    Attributes:
        rows, columns: of its tiles.
        tile: side of a tile in pixels.
        square: side of SAM2's input in pixels.
        grid_order, square_order: of the resizes.
        thumbnail_order: of the thumbnail's; None where there is none.
    """

    rows: int
    columns: int
    tile: int
    square: int
    grid_order: PassOrder
    square_order: PassOrder
    thumbnail_order: PassOrder | None

    @property
    def tiles(self) -> int:
        """Number of tiles, the thumbnail included."""
        return self.rows * self.columns + (self.thumbnail_order is not None)

    def apply(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tiles uint8 (B, T, 3, tile, tile), the thumbnail last, and uint8 (B, 3, square, square), of (B, 3, H, W)."""
        grid = resize(pixels, self.tile * self.rows, self.tile * self.columns, self.grid_order)
        parts = grid.unflatten(-1, (self.columns, self.tile)).unflatten(-3, (self.rows, self.tile))
        tiles = parts.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
        if self.thumbnail_order is not None:
            tiles = torch.cat([tiles, resize(pixels, self.tile, self.tile, self.thumbnail_order)[:, None]], 1)
        return tiles, resize(pixels, self.square, self.square, self.square_order)


@lru_cache(maxsize=64)
def find_resizes(height: int, width: int, tiling: Tiling, square: int) -> Resizes | None:
    """The resizes of images of a size; None where Pillow's bytes are not met."""
    columns, rows = tile_grid(width, height, tiling.min_tiles, tiling.max_tiles, tiling.tile_size)
    tile, size = tiling.tile_size, (height, width)
    grid = pillow_order(size, (tile * rows, tile * columns))
    whole = pillow_order(size, (square, square))
    several = tiling.use_thumbnail and rows * columns > 1
    thumbnail = pillow_order(size, (tile, tile)) if several else None
    if grid is None or whole is None or (several and thumbnail is None):
        return None
    return Resizes(rows, columns, tile, square, grid, whole, thumbnail)
