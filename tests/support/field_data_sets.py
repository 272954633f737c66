"""Small data sets in layouts of the field: frames of many grey values, masks of a vessel."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 48, 40


def frame(path: Path, seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """Write a frame of many grey values."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[1], : size[0]]
    values = 120 + 60 * np.sin(rows / 9 + seed) + 40 * np.cos(columns / 7) + rng.normal(0, 8, rows.shape)
    return _save(path, Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)))


def drawn(seed: int, value: int = 255, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """A vessel across a black image."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", size)
    points = [(x, int(y)) for x, y in zip(range(0, size[0] + 9, 9), rng.uniform(8, size[1] - 8, 9), strict=False)]
    ImageDraw.Draw(image).line(points, fill=value, width=4)
    return image


def mask(path: Path, seed: int, value: int = 255, size: tuple[int, int] = (WIDTH, HEIGHT), mode: str = "L") -> Path:
    """Write a mask: grey, in two colours (`RGB`), or of a palette (`P`)."""
    image = drawn(seed, value, size)
    if mode == "P":
        image = image.point(lambda grey: grey > 0)
        image.putpalette([0, 0, 0, 128, 0, 0] + [7] * 762)
    return _save(path, image.convert(mode) if mode == "RGB" else image)


def _save(path: Path, image: Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path
