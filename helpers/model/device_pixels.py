"""What a model sees of an image: resized by Pillow, or by the model's GPU with the same bytes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from PIL import Image

from .bridge import bridge_of
from .configuration_sa2va import Sa2VAConfig
from .processing_sa2va import image_bytes, sam2_bytes
from .resizing import Resizes, Tiling, TwoResizes, find_resizes

# A GPU resizes images itself, up to so many pixels, and up to so many sizes: each is tried out once.
RESIZED_PIXELS = 2048 * 2048
RESIZED_SIZES = 16

# Pixels that a device resizes at once: 8 images of 512 x 512 take some 320 MB meanwhile, as does one of 2048 x 2048. A
# smaller one, which grows, takes no less than one of 512 x 512.
RESIZED_AT_ONCE = 8 * 512 * 512
_SMALLEST = 512 * 512

_PATIENCE = 2  # images of a size that Pillow resizes, before it pays to try it out


def device_resizes(config: Sa2VAConfig, bridge: Any, height: int, width: int) -> Resizes | None:
    """How a device makes the inputs of a model from images of a size; None where Pillow's bytes are not met."""
    return find_resizes(height, width, _shown_as(config, bridge, height, width), config.sam2_sizes.image_size)


def _shown_as(config: Sa2VAConfig, bridge: Any, height: int, width: int) -> Tiling | TwoResizes | None:
    """How the language model sees images of a size; None where the code of a model's folder does not say it."""
    if not hasattr(bridge, "picture_sizes"):  # folders converted before the device made pictures
        return None
    sizes = bridge.picture_sizes(height, width)
    if sizes is not None:
        return TwoResizes(*sizes)
    return Tiling(config.min_tiles, config.max_tiles, config.tile_size, config.use_thumbnail)


def images_at_once(height: int, width: int) -> int:
    """How many images of a size a device resizes together, 1 to 8."""
    return max(1, RESIZED_AT_ONCE // max(height * width, _SMALLEST))


def in_pillow_s_order(pixels: torch.Tensor) -> torch.Tensor:
    """Images (B, 3, H, W) in Pillow's order of bytes, so that what is computed from them is the same to the last bit.

    A slice of a clone has its strides too, which `contiguous` and `unflatten` do not give a single image.
    """
    return pixels.clone(memory_format=torch.channels_last)


def on_gpu(images: Iterable[torch.Tensor], device: torch.device) -> torch.Tensor:
    """Images uint8 (3, H, W) of one size as (B, 3, H, W) on a device."""
    # In the order that they lie in, which makes this a plain copy; the device brings the channels to the front.
    pixels = torch.stack([image.permute(1, 2, 0) for image in images])
    there = pixels.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else pixels.to(device)
    return there.permute(0, 3, 1, 2).contiguous()


class DevicePixels:
    """Makes the inputs of a model's own calls, on its GPU once images of a size come again."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[int, int]] = Counter()
        self._found: dict[tuple[int, int], Resizes | None] = {}

    def of(self, model: Any, image: Image.Image) -> tuple[torch.Tensor, torch.Tensor]:
        """What the language model sees of an RGB image, uint8 (n, 3, h, w), and SAM2's square, uint8 (1, 3, S, S)."""
        resizes = self.resizes(model, image.height, image.width)
        if resizes is None or resizes.shown is None:
            return model.bridge.image_bytes(image), sam2_bytes(image, model.config.sam2_sizes.image_size)
        pixels = on_gpu(image_bytes([image]), model.device)
        return in_pillow_s_order(resizes.shown(pixels)[0]), in_pillow_s_order(resizes.square(pixels))

    def squares(self, model: Any, frames: Sequence[Image.Image]) -> torch.Tensor:
        """SAM2's squares of RGB frames of one size, uint8 (n, 3, S, S)."""
        resizes = self.resizes(model, frames[0].height, frames[0].width, len(frames))
        if resizes is None:
            return torch.cat([sam2_bytes(frame, model.config.sam2_sizes.image_size) for frame in frames])
        together = images_at_once(frames[0].height, frames[0].width)
        parts = (frames[start : start + together] for start in range(0, len(frames), together))
        squares = [resizes.square(on_gpu(image_bytes(list(part)), model.device)) for part in parts]
        return in_pillow_s_order(torch.cat(squares))

    def resizes(self, model: Any, height: int, width: int, count: int = 1) -> Resizes | None:
        """How the model's device resizes images of a size, of which so many come; None where a processor does."""
        size = (height, width)
        if model.device.type != "cuda" or height * width > RESIZED_PIXELS:
            return None
        self._calls[size] += count
        if size not in self._found and self._calls[size] > _PATIENCE and len(self._found) < RESIZED_SIZES:
            self._found[size] = device_resizes(model.config, bridge_of(model), height, width)
        return self._found.get(size)
