"""Small grey pictures of dark branching tubes, with exact masks. They only look a little like angiograms."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

_GREY_STEP = 4  # coarse grey values keep the files small
_BACKGROUND, _SHADE, _NOISE, _DARKENING = 165.0, 20.0, 5.0, 85.0
_SHORT_SIDE_TILES = 0.05  # width of the main tube, in short sides


@dataclass(frozen=True)
class TubeImage:
    """One picture: `grey` (H, W) uint8 and its mask (H, W) bool."""

    grey: np.ndarray
    mask: np.ndarray

    def rgb(self) -> Image.Image:
        """The picture as models take it."""
        return Image.fromarray(self.grey).convert("RGB")


def draw_image(seed: int, width: int, height: int) -> TubeImage:
    """One picture of `width` x `height` pixels; the same seed gives the same picture."""
    random = np.random.default_rng(seed)
    mask = _draw_tubes(random, width, height)
    side = min(width, height)
    shade = gaussian_filter(random.standard_normal((height, width)), side / 5)
    grey = _BACKGROUND + _SHADE * shade / np.abs(shade).max()
    grey += _NOISE * random.standard_normal((height, width))
    grey -= _DARKENING * gaussian_filter(mask.astype(float), 0.8)
    coarse = np.round(np.clip(grey, 0, 255) / _GREY_STEP) * _GREY_STEP
    return TubeImage(np.clip(coarse, 0, 255).astype(np.uint8), mask)


def _draw_tubes(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A main tube from edge to edge with branches: (H, W) bool."""
    mask = np.zeros((height, width), dtype=bool)
    side = min(width, height)
    start = np.array([random.uniform(0.3, 0.7) * height, 0.0])
    radius = _SHORT_SIDE_TILES * side
    trunk = _walk(random, start, random.uniform(-0.3, 0.3), 1.1 * width, side)
    _stamp(mask, trunk, radius, 0.5 * radius)
    for place in (0.2, 0.4, 0.6, 0.8):
        origin = trunk[int(place * (len(trunk) - 1))]
        angle = random.choice([-1.0, 1.0]) * random.uniform(0.6, 1.2)
        branch = _walk(random, origin, angle, random.uniform(0.4, 0.8) * side, side)
        _stamp(mask, branch, 0.65 * radius, 0.3 * radius)
    return mask


def _walk(random: np.random.Generator, start: np.ndarray, angle: float, length: float, side: int) -> np.ndarray:
    """A winding path in steps of half a pixel: (n, 2) rows and columns."""
    steps = int(2 * length)
    bends = gaussian_filter(random.standard_normal(steps), side / 4) * np.sqrt(side) * 0.7
    angles = angle + np.cumsum(bends) / side
    return start + 0.5 * np.cumsum(np.stack([np.sin(angles), np.cos(angles)], axis=1), axis=0)


def _stamp(mask: np.ndarray, path: np.ndarray, first_radius: float, last_radius: float) -> None:
    """Set the discs around a path, whose radius goes evenly from first to last; radii in pixels."""
    height, width = mask.shape
    for (row, column), radius in zip(path, np.linspace(first_radius, last_radius, len(path)), strict=True):
        radius = max(radius, 1.0)
        top, bottom = int(max(row - radius, 0)), int(min(row + radius + 2, height))
        left, right = int(max(column - radius, 0)), int(min(column + radius + 2, width))
        if top >= bottom or left >= right:
            continue
        rows, columns = np.ogrid[top:bottom, left:right]
        mask[top:bottom, left:right] |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
