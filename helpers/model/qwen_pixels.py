"""Images as the Qwen vision-language models see them: two resizes, bit for bit as in training's inference, and patches.

The first is Pillow's, to multiples of 28 whatever the family. The second is that of torch on bytes, to multiples of the
family's own: Pillow's differs from it by up to one grey level.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

_FIRST_MULTIPLE = 28
_FIRST_PIXELS = (4 * 28 * 28, 16384 * 28 * 28)
_MOST_ASPECT = 200


@dataclass(frozen=True)
class PixelSettings:
    """How a family makes patches of pixels.

    Attributes:
        patch: side of a patch in pixels.
        merge: patches along a side that become one token.
        frames: how often a picture is repeated in time.
        least, most: pixels of a picture once it is resized.
        mean, std: of the channels, on values from 0 to 1.
    """

    patch: int
    merge: int
    frames: int
    least: int
    most: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def multiple(self) -> int:
        """What both sides of a resized picture are a multiple of."""
        return self.patch * self.merge


def fitted_size(height: int, width: int, multiple: int, least: int, most: int) -> tuple[int, int]:
    """Height and width as multiples whose product lies between `least` and `most`, the aspect ratio nearly kept.

    A side of less than half a multiple becomes one, and only then is the product looked at.

    Raises:
        ValueError: where one side is more than 200 times the other.
    """
    if max(height, width) / min(height, width) > _MOST_ASPECT:
        raise ValueError(
            f"image: expected sides of at most 1 to {_MOST_ASPECT}, got {width} x {height} pixels. Crop it"
        )
    rows, columns = (max(1, round(side / multiple)) * multiple for side in (height, width))
    if rows * columns > most:
        scale = math.sqrt(height * width / most)
        rows, columns = (max(multiple, math.floor(side / scale / multiple) * multiple) for side in (height, width))
    elif rows * columns < least:
        scale = math.sqrt(least / (height * width))
        rows, columns = (math.ceil(side * scale / multiple) * multiple for side in (height, width))
    return rows, columns


def resized_to(height: int, width: int, settings: PixelSettings) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and width of a picture behind the first and behind the second resize. Raises as `fitted_size`."""
    first = fitted_size(height, width, _FIRST_MULTIPLE, *_FIRST_PIXELS)
    return first, fitted_size(*first, settings.multiple, settings.least, settings.most)


def resized_picture(image: Image.Image, settings: PixelSettings) -> torch.Tensor:
    """An RGB image after both resizes, uint8 (3, h, w).

    Raises:
        ValueError: see `fitted_size`.
    """
    (height, width), size = resized_to(image.height, image.width, settings)
    first = torch.from_numpy(np.array(image.resize((width, height)))).permute(2, 0, 1)
    return interpolate(first[None], size=size, mode="bicubic", antialias=True, align_corners=False)[0]


def patch_grid(pixels: torch.Tensor, settings: PixelSettings) -> tuple[int, int]:
    """Rows and columns of patches of pictures (..., h, w)."""
    return pixels.shape[-2] // settings.patch, pixels.shape[-1] // settings.patch


def picture_patches(pixels: torch.Tensor, settings: PixelSettings) -> torch.Tensor:
    """Patches of pictures uint8 (n, 3, h, w), normalised, on their device.

    Returns:
        float32 (n * patches, 3 * frames * patch * patch). Rows go picture by picture and token by token, the patches of
        one token together; columns by channel, frame, row and column.
    """
    mean, std = (255 * _of_channels(values, pixels.device) for values in (settings.mean, settings.std))
    normal = (pixels.float() - mean) / std
    count, merge, patch = len(pixels), settings.merge, settings.patch
    rows, columns = (side // merge for side in patch_grid(pixels, settings))
    cut = normal.view(count, 3, rows, merge, patch, columns, merge, patch).permute(0, 2, 5, 3, 6, 1, 4, 7)
    flat = cut.reshape(count * rows * columns * merge * merge, 3, 1, patch, patch)
    return flat.expand(-1, -1, settings.frames, -1, -1).flatten(1)


def _of_channels(values: Sequence[float], device: torch.device) -> torch.Tensor:
    """Float32 (1, 3, 1, 1), made on the device: a copy from a processor cannot be part of a CUDA graph."""
    return torch.cat([torch.full((1, 1, 1, 1), value, device=device) for value in values], 1)


def picture_positions(runs: Sequence[tuple[int, tuple[int, int] | None]]) -> torch.Tensor:
    """Positions int64 (3, N) in time, of rows and of columns of a prompt's tokens.

    Words are counted one by one. Within a picture the place in time is constant, rows and columns run over its grid,
    and what follows goes on from the largest place so far.

    Args:
        runs: number of tokens and, of a picture, rows and columns of its grid; None for words.
    """
    start, parts = 0, []
    for length, grid in runs:
        if grid is None:
            parts.append(torch.arange(start, start + length).expand(3, -1))
            start += length
        else:
            rows, columns = grid
            time = torch.full((rows, columns), start)
            down = (torch.arange(rows) + start)[:, None].expand(rows, columns)
            across = (torch.arange(columns) + start)[None].expand(rows, columns)
            parts.append(torch.stack([time, down, across]).flatten(1))
            start += max(grid)
    return torch.cat(parts, 1)
