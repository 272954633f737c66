"""The resize on tensors against Pillow's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.model.processing_sa2va import cut_tiles, image_bytes, sam2_bytes
from helpers.prediction.engine.resizing import PassOrder, Tiling, find_resizes, pillow_order, resize

sides = st.integers(1, 90)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def planes(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)


@settings(max_examples=60, deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 5))
def test_bytes_are_those_of_pillow(height, width, wanted_height, wanted_width, seed):
    pixels = noise(height, width, seed)
    expected = Image.fromarray(pixels).resize((wanted_width, wanted_height), Image.Resampling.BICUBIC)
    order = pillow_order((height, width), (wanted_height, wanted_width))
    found = resize(planes(pixels), wanted_height, wanted_width, order)
    assert found.dtype == torch.uint8
    assert np.array_equal(found.permute(1, 2, 0).numpy(), np.asarray(expected))


@pytest.mark.parametrize("size", [(512, 512), (1017, 700)])
def test_bytes_are_those_of_pillow_at_the_network_s_size(size):
    pixels = noise(*size)
    pixels[100:300] = 255  # edges overshoot, and are cut off
    pixels[300:400] = 0
    expected = Image.fromarray(pixels).resize((1024, 1024), Image.Resampling.BICUBIC)
    found = resize(planes(pixels), 1024, 1024, pillow_order(size, (1024, 1024)))
    assert np.array_equal(found.permute(1, 2, 0).numpy(), np.asarray(expected))


def test_another_resize_is_found_out(monkeypatch):
    """A Pillow with other coefficients gets no such resize: its bytes come from itself."""
    plain = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda image, size, _: plain(image, size, Image.Resampling.BILINEAR))
    assert pillow_order((31, 33), (62, 66)) is None
    assert find_resizes(31, 33, Tiling(1, 1, 62, False), 64) is None
    pillow_order.cache_clear()
    find_resizes.cache_clear()


def test_rows_come_first_or_columns():
    pixels = planes(noise(8, 8))
    assert not torch.equal(resize(pixels, 5, 11, PassOrder.ROWS), resize(pixels, 5, 11, PassOrder.COLUMNS))


@pytest.mark.parametrize("size", [(64, 64), (40, 90), (56, 56), (130, 60)])
@pytest.mark.parametrize("thumbnail", [True, False])
def test_inputs_are_those_of_the_model(size, thumbnail):
    pixels = noise(*size)
    image = Image.fromarray(pixels)
    resizes = find_resizes(*size, Tiling(1, 6, 56, thumbnail), 128)
    tiles, squares = resizes.apply(torch.stack([planes(noise(*size, seed=1)), planes(pixels)]))
    expected = image_bytes(cut_tiles(image, 1, 6, 56, thumbnail))
    assert torch.equal(tiles[1], expected) and resizes.tiles == len(expected)
    assert torch.equal(squares[1:], sam2_bytes(image, 128))
