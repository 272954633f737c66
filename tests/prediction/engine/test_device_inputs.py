"""Inputs on a device: gathered beside what it computes, and kept until they are read."""

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from helpers.model import device_pixels
from helpers.model.bridge import bridge_for
from helpers.prediction.engine import device_inputs
from helpers.prediction.engine.device_inputs import ImageInputs, PreparedImage, RawImage, images_at_once, resized
from helpers.prediction.engine.model_loading import load_model

META = torch.device("meta")


@pytest.fixture(scope="module")
def config(fixture_folder):
    return load_model(fixture_folder, "cpu", "float32")[0].config


class OnGPU:
    """A tensor as it looks on a GPU, that notes which streams keep it."""

    is_cuda, device = True, torch.device("cuda:0")

    def __init__(self):
        self.kept_for = []

    def record_stream(self, stream):
        self.kept_for.append(stream)

    def to(self, device):
        return self


class Stream:
    """A stream that notes what happens in it."""

    def __init__(self, device):
        self.events = []

    def synchronize(self):
        self.events.append("synchronized")


def test_a_gpu_gathers_on_a_stream_of_its_own_and_returns_once_all_is_there(config, monkeypatch):
    @contextmanager
    def within(stream):
        stream.events.append("entered")
        yield
        stream.events.append("left")

    stream = Stream("cuda:0")
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "stream", within)
    made = ImageInputs(config, bridge_for(config), torch.device("cuda:0"), resizes_itself=True)
    made.on_device = lambda prepared: stream.events.append("brought") or [*prepared, "there"]
    assert made.gather(["raw"]) == ["raw", "there"]
    assert stream.events == ["entered", "brought", "synchronized", "left"]


def test_what_was_gathered_is_kept_until_the_stream_that_computes_has_read_it(config, monkeypatch):
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the current one of {device}")
    made = ImageInputs(config, bridge_for(config), torch.device("cuda:0"), resizes_itself=True)
    images = [PreparedImage(OnGPU(), OnGPU(), 64, 64) for _ in range(2)]
    assert made.on_device(images) == images
    kept = [tensor.kept_for for image in images for tensor in (image.tiles, image.square)]
    assert kept == 4 * [["the current one of cuda:0"]]


def test_what_pillow_resized_goes_to_the_device_with_the_others(config, monkeypatch):
    monkeypatch.setattr(device_inputs, "RESIZED_PIXELS", 900)
    made = ImageInputs(config, bridge_for(config), torch.device("cpu"), resizes_itself=True)
    small, large = (made.prepare(Image.new("RGB", (side, side))) for side in (30, 31))
    assert isinstance(small, RawImage) and isinstance(large, PreparedImage)
    elsewhere = ImageInputs(config, bridge_for(config), META, resizes_itself=True)
    small = replace(small, pixels=small.pixels.to(META))
    monkeypatch.setattr(
        device_inputs, "resized", lambda images, device: [PreparedImage(small.pixels, small.pixels, 30, 30)]
    )
    found = elsewhere.on_device([large, small])
    assert [image.tiles.device == image.square.device == META for image in found] == [True, True]
    assert [image.width for image in found] == [31, 30] and found[0].tiles.shape == large.tiles.shape


@pytest.mark.parametrize(
    ("size", "count"), [((64, 64), 8), ((512, 512), 8), ((1024, 512), 4), ((1024, 1024), 2), ((2048, 2048), 1)]
)
def test_images_that_are_resized_together_are_counted_by_their_pixels(size, count, monkeypatch):
    assert images_at_once(*size) == count
    monkeypatch.setattr(device_pixels, "RESIZED_AT_ONCE", 4 * 6)
    monkeypatch.setattr(device_pixels, "_SMALLEST", 4)
    together = []

    def square(pixels):
        together.append(tuple(pixels.shape))
        return pixels

    resizes = SimpleNamespace(square=square, shown=None)
    sides = (2, 3, 2, 3, 6, 3)
    raw = [RawImage(torch.full((3, s, 2), s, dtype=torch.uint8), resizes, torch.zeros(1, 3, 1, 1)) for s in sides]
    assert [int(made.square.max()) for made in resized(raw, torch.device("cpu"))] == list(sides)
    assert together == [(2, 3, 2, 2), (3, 3, 3, 2), (1, 3, 6, 2)]
