"""Which images a GPU resizes itself, and that the bytes are Pillow's."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.core.vocabulary import Preset
from helpers.dev.bench.model_presets import preset_config
from helpers.model import device_pixels
from helpers.model.bridge import bridge_for
from helpers.model.device_pixels import DevicePixels, device_resizes, in_pillow_s_order, on_gpu
from helpers.model.processing_sa2va import image_bytes, sam2_bytes

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model():
    config = preset_config(Preset.TINY)
    return SimpleNamespace(config=config, bridge=bridge_for(config), device=CPU)


def picture(height, width, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_a_device_makes_the_bytes_of_pillow(model):
    frames = [picture(61, 47, seed) for seed in range(2)]
    resizes = device_resizes(model.config, model.bridge, 61, 47)
    pixels = on_gpu(image_bytes(frames), CPU)
    squares = in_pillow_s_order(resizes.square(pixels))
    side = model.config.sam2_sizes.image_size
    assert torch.equal(squares, torch.cat([sam2_bytes(frame, side) for frame in frames]))
    for shown, frame in zip(resizes.shown(pixels), frames, strict=True):
        assert torch.equal(shown, model.bridge.image_bytes(frame))


def test_a_processor_takes_pillow(model):
    pixels, image = DevicePixels(), picture(20, 30)
    shown, square = pixels.of(model, image)
    assert torch.equal(shown, model.bridge.image_bytes(image))
    assert torch.equal(square, sam2_bytes(image, model.config.sam2_sizes.image_size))
    assert torch.equal(pixels.squares(model, [image, image]), torch.cat([square, square]))


def test_a_gpu_tries_a_size_at_its_third_image(model, monkeypatch):
    tried = []
    monkeypatch.setattr(device_pixels, "device_resizes", lambda config, bridge, *size: tried.append(size) or "found")
    monkeypatch.setattr(device_pixels, "RESIZED_SIZES", 2)
    # Folders converted before have no bridge.
    gpu = SimpleNamespace(config=model.config, device=SimpleNamespace(type="cuda"))
    pixels = DevicePixels()
    assert [pixels.resizes(gpu, 8, 9) for _ in range(4)] == [None, None, "found", "found"] and tried == [(8, 9)]
    assert pixels.resizes(gpu, 9, 8, count=3) == "found"
    assert pixels.resizes(gpu, 9, 9, count=3) is None  # a third size
    assert pixels.resizes(gpu, 2048, 2049, count=3) is None and len(tried) == 2
