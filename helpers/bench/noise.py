"""Images of noise to measure with: what an image shows does not change how long it takes."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

# Different images among those of a folder: drawing and compressing each would take longer than predicting it.
_DIFFERENT = 64


def draw_noise(side: int, seed: int) -> Image.Image:
    """A square RGB image of grey noise."""
    grey = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    return Image.fromarray(grey).convert("RGB")


def write_noise(folder: Path, side: int, count: int) -> list[Path]:
    """So many PNG files `case-00000.png`, ... of square noise in a new folder."""
    folder.mkdir(parents=True)
    drawn = [_png(draw_noise(side, seed)) for seed in range(min(count, _DIFFERENT))]
    paths = [folder / f"case-{number:05d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(drawn[number % len(drawn)])
    return paths


def _png(image: Image.Image) -> bytes:
    kept = io.BytesIO()
    image.save(kept, "PNG", compress_level=1)  # noise takes long to compress, in vain
    return kept.getvalue()
