"""Inputs of a model from an image: made by a processor, or by the GPU with the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from PIL import Image

from helpers.model.bridge import Bridge
from helpers.model.configuration_sa2va import Sa2VAConfig
from helpers.model.device_pixels import (
    RESIZED_PIXELS,
    RESIZED_SIZES,
    device_resizes,
    images_at_once,
    in_pillow_s_order,
    on_gpu,
)
from helpers.model.image_mode import to_rgb
from helpers.model.processing_sa2va import image_bytes, sam2_bytes
from helpers.model.resizing import Resizes
from helpers.prediction.engine.chunks import chunks


@dataclass(frozen=True)
class PreparedImage:
    """An image as the model takes it, still as bytes: a quarter of the memory of float32.

    Attributes:
        tiles: uint8 (T, 3, h, w), what the language model sees, see `Bridge.image_bytes`.
        square: uint8 (1, 3, S, S), stretched for SAM2.
        width, height: of the image in pixels.
    """

    tiles: torch.Tensor = field(repr=False)
    square: torch.Tensor = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True)
class RawImage:
    """An image that the device itself brings to the sizes of `PreparedImage`, with the same bytes.

    Attributes:
        pixels: uint8 (3, H, W).
        resizes: of an image of this size.
        tiles: as those of `PreparedImage`, where a processor had to make them.
    """

    pixels: torch.Tensor = field(repr=False)
    resizes: Resizes
    tiles: torch.Tensor | None = field(default=None, repr=False)


def resized(images: Sequence[RawImage], device: torch.device) -> list[PreparedImage]:
    """The inputs of images, in their order, on a device; images of one size are resized together."""
    made: dict[int, PreparedImage] = {}
    sizes: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        sizes.setdefault(tuple(image.pixels.shape), []).append(index)
    for (_, height, width), places in sizes.items():
        for part in chunks(len(places), images_at_once(height, width)):
            pixels = on_gpu((images[place].pixels for place in places[part]), device)
            resizes = images[places[0]].resizes
            squares = in_pillow_s_order(resizes.square(pixels))
            shown = _shown(resizes, pixels, [images[place] for place in places[part]])
            for row, place in enumerate(places[part]):
                made[place] = PreparedImage(shown[row], squares[row : row + 1], width, height)
    return [made[index] for index in range(len(images))]


def _shown(resizes: Resizes, pixels: torch.Tensor, images: Sequence[RawImage]) -> Sequence[torch.Tensor]:
    """What the language model sees of each image, from pixels (B, 3, H, W) or as a processor made it."""
    if resizes.shown is None:
        return [image.tiles.to(pixels.device) for image in images if image.tiles is not None]
    tiles = resizes.shown(pixels)
    return in_pillow_s_order(tiles.flatten(0, 1)).split(tiles.shape[1])


class ImageInputs:
    """Makes the inputs of a model of images."""

    def __init__(self, config: Sa2VAConfig, bridge: Bridge, device: torch.device, resizes_itself: bool):
        """Make inputs for a model.

        Args:
            config, bridge, device: of the model.
            resizes_itself: whether the device resizes.
        """
        self._config = config
        self._bridge = bridge
        self._device = device
        self._resizes_itself = resizes_itself
        self._resizes: dict[tuple[int, int], Resizes | None] = {}
        self._aside = torch.cuda.Stream(device) if device.type == "cuda" else None

    def prepare(self, image: Image.Image) -> PreparedImage | RawImage:
        """Tiles and SAM2 pixels of one image, or what a GPU makes them of; safe on several threads at once."""
        image = to_rgb(image)
        resizes = self._find_resizes(image.height, image.width)
        if resizes is not None:
            tiles = self._bridge.image_bytes(image) if resizes.shown is None else None
            return RawImage(image_bytes([image])[0], resizes, tiles)
        square = sam2_bytes(image, self._config.sam2_sizes.image_size)
        return PreparedImage(self._bridge.image_bytes(image), square, image.width, image.height)

    def gather(self, prepared: Sequence[PreparedImage | RawImage]) -> Sequence[PreparedImage | RawImage]:
        """`on_device` of a GPU, beside what it computes; elsewhere the inputs as they are.

        On one thread at a time; returns once all are there.
        """
        if self._aside is None:
            return prepared
        with torch.cuda.stream(self._aside):
            gathered = self.on_device(prepared)
            self._aside.synchronize()
        return gathered

    def on_device(self, prepared: Sequence[PreparedImage | RawImage]) -> list[PreparedImage]:
        """All images there: what was resized before as it is, and the others resized."""
        prepared = [self._brought(item) if isinstance(item, PreparedImage) else item for item in prepared]
        made = iter(resized([item for item in prepared if isinstance(item, RawImage)], self._device))
        return [next(made) if isinstance(item, RawImage) else item for item in prepared]

    def _brought(self, image: PreparedImage) -> PreparedImage:
        """An image that was gathered, or that Pillow resized, on the device."""
        _keep_until_read(image.tiles, image.square)
        return replace(image, tiles=image.tiles.to(self._device), square=image.square.to(self._device))

    def _find_resizes(self, height: int, width: int) -> Resizes | None:
        """How the device resizes images of a size; None where a processor does."""
        size = (height, width)
        if not self._resizes_itself or height * width > RESIZED_PIXELS:
            return None
        if size not in self._resizes and len(self._resizes) < RESIZED_SIZES:
            self._resizes[size] = device_resizes(self._config, self._bridge, height, width)
        return self._resizes.get(size)


def _keep_until_read(*gathered: torch.Tensor) -> None:
    """Keep the memory of tensors from the next `gather` until what this thread launches from now on has read them."""
    for tensor in gathered:
        if tensor.is_cuda:
            tensor.record_stream(torch.cuda.current_stream(tensor.device))
