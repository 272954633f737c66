"""The resizes on tensors against those of Pillow and PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn.functional import interpolate

from helpers.model import resizing
from helpers.model.processing_sa2va import cut_tiles, image_bytes, sam2_bytes
from helpers.model.qwen_pixels import PixelSettings, resized_picture, resized_to
from helpers.model.resizing import (
    PassOrder,
    Resampler,
    Resize,
    Tiling,
    TwoResizes,
    find_resize,
    find_resizes,
)

sides = st.integers(1, 90)
# Limits of pixels as in a real model, an eighth as large.
QWEN = {
    "qwen25vl": PixelSettings(14, 2, 2, 64 * 28 * 28, 256 * 28 * 28, (0.5,) * 3, (0.5,) * 3),
    "qwen3vl": PixelSettings(16, 2, 2, 64 * 28 * 28, 256 * 28 * 28, (0.5,) * 3, (0.5,) * 3),
}


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def planes(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)


def by_pillow(pixels, height, width):
    return planes(np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)))


def by_torch(pixels, height, width):
    return interpolate(planes(pixels)[None], size=(height, width), mode="bicubic", antialias=True)[0]


EXPECTED = {Resampler.PILLOW: by_pillow, Resampler.TORCH: by_torch}


@pytest.mark.parametrize("resampler", Resampler)
@settings(max_examples=60, deadline=None)
@given(sides, sides, sides, sides, st.integers(1, 5))
def test_bytes_are_those_of_the_library(resampler, height, width, wanted_height, wanted_width, seed):
    pixels = noise(height, width, seed)
    found = find_resize((height, width), (wanted_height, wanted_width), resampler)(planes(pixels))
    assert found.dtype == torch.uint8
    assert torch.equal(found, EXPECTED[resampler](pixels, wanted_height, wanted_width))


@pytest.mark.parametrize("resampler", Resampler)
@pytest.mark.parametrize(("size", "wanted"), [((512, 512), (1024, 1024)), ((1017, 700), (1024, 1024)),
                                              ((504, 504), (640, 640)), ((1064, 700), (644, 420))])  # fmt: skip
def test_bytes_are_those_of_the_library_at_the_network_s_size(resampler, size, wanted):
    pixels = noise(*size)
    pixels[100:300] = 255  # edges overshoot, and are cut off
    pixels[300:400] = 0
    assert torch.equal(find_resize(size, wanted, resampler)(planes(pixels)), EXPECTED[resampler](pixels, *wanted))


def test_another_resize_is_found_out(monkeypatch):
    """A Pillow with other coefficients gets no such resize: its bytes come from itself."""
    plain = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda image, size, _: plain(image, size, Image.Resampling.BILINEAR))
    find_resize.cache_clear()
    assert find_resize((31, 33), (62, 66), Resampler.PILLOW) is None
    assert find_resizes(31, 33, Tiling(1, 1, 62, False), 64) is None
    find_resize.cache_clear()


def test_another_resize_of_pytorch_leaves_the_picture_to_a_processor(monkeypatch):
    monkeypatch.setitem(resizing._LIBRARIES, Resampler.TORCH, by_pillow_of_tuple)
    find_resize.cache_clear()
    found = find_resizes(31, 33, TwoResizes((56, 28), (96, 64)), 64)
    assert found.shown is None
    assert torch.equal(found.square(planes(noise(31, 33))), by_pillow(noise(31, 33), 64, 64))
    find_resize.cache_clear()


def by_pillow_of_tuple(pixels, wanted):
    return by_pillow(pixels, *wanted)


def test_rows_come_first_or_columns():
    pixels = planes(noise(8, 8))
    rows, columns = (Resize(5, 11, Resampler.PILLOW, order) for order in PassOrder)
    assert not torch.equal(rows(pixels), columns(pixels))


@pytest.mark.parametrize("size", [(64, 64), (40, 90), (56, 56), (130, 60)])
@pytest.mark.parametrize("thumbnail", [True, False])
def test_inputs_are_those_of_the_model(size, thumbnail):
    pixels = noise(*size)
    image = Image.fromarray(pixels)
    resizes = find_resizes(*size, Tiling(1, 6, 56, thumbnail), 128)
    both = torch.stack([planes(noise(*size, seed=1)), planes(pixels)])
    assert torch.equal(resizes.shown(both)[1], image_bytes(cut_tiles(image, 1, 6, 56, thumbnail)))
    assert torch.equal(resizes.square(both)[1:], sam2_bytes(image, 128))


@pytest.mark.parametrize("family", QWEN)
@pytest.mark.parametrize("size", [(64, 64), (40, 90), (504, 504), (130, 60), (1, 200), (601, 350), (224, 448)])
def test_pictures_are_those_of_the_qwen_families(family, size):
    pixels = noise(*size)
    resizes = find_resizes(*size, TwoResizes(*resized_to(*size, QWEN[family])), 128)
    both = torch.stack([planes(noise(*size, seed=1)), planes(pixels)])
    expected = resized_picture(Image.fromarray(pixels), QWEN[family])
    assert torch.equal(resizes.shown(both)[1], expected[None])
