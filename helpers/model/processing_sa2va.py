"""Inputs of a Sa2VA model (tiles, SAM2's pixels, the prompt text), and its mask logits in the frame's size.

Pure functions on PIL images, arrays, tensors and strings. Resizing is PIL's, which the trained models saw.
"""

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

IMAGE_START, IMAGE_END, IMAGE_CONTEXT = "<img>", "</img>", "<IMG_CONTEXT>"
REGION_START, REGION_END = "<vp>", "</vp>"
IMAGE_PLACEHOLDER = "<image>"

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


def tile_grid(width: int, height: int, min_tiles: int, max_tiles: int, tile_size: int) -> tuple[int, int]:
    """Columns and rows of the tile grid whose aspect ratio is nearest to the image's.

    Among grids of equal distance the larger wins only where the image has more than half the grid's pixels.
    """
    grids = sorted(
        {
            (columns, rows)
            for columns in range(1, max_tiles + 1)
            for rows in range(1, max_tiles + 1)
            if min_tiles <= columns * rows <= max_tiles
        },
        key=lambda grid: (grid[0] * grid[1], grid),
    )
    ratio = width / height
    best, best_distance = (1, 1), float("inf")
    for columns, rows in grids:
        distance = abs(ratio - columns / rows)
        fills = width * height > 0.5 * tile_size**2 * columns * rows
        if distance < best_distance or (distance == best_distance and fills):
            best, best_distance = (columns, rows), distance
    return best


def cut_tiles(
    image: Image.Image, min_tiles: int, max_tiles: int, tile_size: int, use_thumbnail: bool
) -> list[Image.Image]:
    """Tiles of the image in row-major order, each `tile_size` square, and the thumbnail last where there are several.

    Args:
        image: RGB.
    """
    columns, rows = tile_grid(*image.size, min_tiles, max_tiles, tile_size)
    resized = image.resize((tile_size * columns, tile_size * rows), Image.Resampling.BICUBIC)
    tiles = [
        resized.crop((x * tile_size, y * tile_size, (x + 1) * tile_size, (y + 1) * tile_size))
        for y in range(rows)
        for x in range(columns)
    ]
    if use_thumbnail and len(tiles) > 1:
        tiles.append(image.resize((tile_size, tile_size), Image.Resampling.BICUBIC))
    return tiles


def image_bytes(images: list[Image.Image]) -> torch.Tensor:
    """RGB images of one size as (n, 3, H, W) uint8."""
    return torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)


def tile_pixels(tiles: list[Image.Image]) -> torch.Tensor:
    """Tiles normalised for the vision tower: (n, 3, tile_size, tile_size) float32."""
    return normalise_tiles(image_bytes(tiles))


def normalise_tiles(tiles: torch.Tensor) -> torch.Tensor:
    """Tiles (n, 3, H, W) uint8, as float32 normalised for the vision tower, on their device."""
    mean, std = (_channels(values, torch.float32, tiles.device) for values in (_IMAGENET_MEAN, _IMAGENET_STD))
    return (tiles.float() / 255 - mean) / std


def sam2_pixels(image: Image.Image, size: int, constants: str, dtype: torch.dtype) -> torch.Tensor:
    """The RGB image stretched to a square and normalised for SAM2: (1, 3, size, size) of `dtype`."""
    return normalise_sam2(sam2_bytes(image, size), constants, dtype)


def sam2_bytes(image: Image.Image, size: int) -> torch.Tensor:
    """The RGB image stretched to a square, (1, 3, size, size) uint8; masks are stretched back."""
    return image_bytes([image.resize((size, size), Image.Resampling.BICUBIC)])


def normalise_sam2(pixels: torch.Tensor, constants: str, dtype: torch.dtype) -> torch.Tensor:
    """Pixels (n, 3, size, size) uint8, normalised for SAM2 in `dtype`, on their device.

    Args:
        constants: 'bf16_rounded' reproduces the official code, which rounds mean and std to bfloat16 in every dtype
            and, in a bfloat16 model, every arithmetic step too; 'exact' uses ImageNet's constants in float32.
    """
    rounded = constants == "bf16_rounded"
    work = torch.bfloat16 if rounded and dtype == torch.bfloat16 else torch.float32
    stored = torch.bfloat16 if rounded else torch.float32
    mean, std = (_channels(values, stored, pixels.device).to(work) for values in (_IMAGENET_MEAN, _IMAGENET_STD))
    return ((pixels.to(work) / 255 - mean) / std).to(dtype)


def _channels(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A value for each channel, (1, 3, 1, 1), on a device, without waiting for what it computes."""
    made = torch.tensor(values, dtype=dtype).view(1, 3, 1, 1)
    return made.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else made.to(device)


def region_cells(mask_prompts: list, grid: int) -> torch.Tensor:
    """Region prompts on the grid of one tile's image tokens: (n_objects, grid, grid) bool.

    Args:
        mask_prompts: one array (n_objects, H, W), non-zero inside the region, in a list (as the official API takes it).
    Raises:
        ValueError: where it is not a list of one such array.
    """
    if len(mask_prompts) != 1 or np.ndim(mask_prompts[0]) != 3 or not len(mask_prompts[0]):
        shapes = [tuple(np.shape(mask)) for mask in mask_prompts]
        raise ValueError(f"mask_prompts: expected one array of shape (n_objects, H, W) in a list, got shapes {shapes}")
    masks = torch.as_tensor(np.asarray(mask_prompts[0]), dtype=torch.float32)
    return torch.nn.functional.interpolate(masks[None], size=(grid, grid), mode="nearest")[0] > 0


def image_text(tiles: int, tokens_per_tile: int) -> str:
    """The text that stands for an image of `tiles` tiles."""
    return IMAGE_START + IMAGE_CONTEXT * (tiles * tokens_per_tile) + IMAGE_END


def region_text(cells: torch.Tensor) -> str:
    """The text that announces region prompts; (n_objects, grid, grid) bool gives one placeholder a true cell."""
    regions = ", ".join(
        f"region{index + 1}{REGION_START}{IMAGE_CONTEXT * int(region.sum())}{REGION_END}"
        for index, region in enumerate(cells)
    )
    return f"\nThere are {len(cells)} part regions in the picture: {regions}.\n"


def build_prompt(text: str, past_text: str, instruction: str, image_tokens: str | None, region_tokens: str = "") -> str:
    """The whole input text of one turn.

    Args:
        text: the user's words; `<image>` marks where the image stands and is put in front where it is missing.
        past_text: earlier turns, image already written out in them; the new turn then names no image.
        instruction: the template's frame around a turn, with `{input}`.
        image_tokens: from `image_text`; None for a text-only call.
        region_tokens: from `region_text`, put right behind the image.
    Raises:
        ValueError: where the text names the image more than once, or again after `past_text`.
    """
    mentions = text.count(IMAGE_PLACEHOLDER)
    if image_tokens is None:
        text = text.replace(IMAGE_PLACEHOLDER, "")
    elif past_text:
        if mentions:
            raise ValueError(
                f"text: {IMAGE_PLACEHOLDER} stands in the new turn although past_text already holds the image; "
                "remove it from text"
            )
    elif mentions > 1:
        raise ValueError(f"text: expected at most one {IMAGE_PLACEHOLDER}, got {mentions}; one image is given")
    else:
        text = text if mentions else f"{IMAGE_PLACEHOLDER}\n{text}"
        text = text.replace(IMAGE_PLACEHOLDER, image_tokens + region_tokens)
    return past_text + instruction.replace("{input}", text)


def upsample_logits(low_resolution: torch.Tensor, image_size: int, height: int, width: int) -> torch.Tensor:
    """SAM2's two bilinear steps: to the square network input, then to the image.

    Args:
        low_resolution: (S, h, w) floating-point logits; S may be 0.
        image_size: side of the square in pixels.
    Returns:
        (S, height, width), of the same dtype and device.
    """
    if not len(low_resolution):
        return low_resolution.new_zeros((0, height, width))
    square = interpolate(low_resolution[:, None], size=(image_size, image_size), mode="bilinear")
    return interpolate(square, size=(height, width), mode="bilinear")[:, 0]
