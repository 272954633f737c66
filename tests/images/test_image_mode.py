"""Every Pillow mode becomes 8-bit RGB with values that can be checked by eye."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from helpers.sa2va.image_mode import bit_depth_for, scale_grey, to_rgb


def grey_row(values, dtype) -> Image.Image:
    return Image.fromarray(np.array([values], dtype=dtype))


def reds(image: Image.Image) -> list[int]:
    array = np.asarray(image)
    assert image.mode == "RGB" and array.dtype == np.uint8
    return array[0, :, 0].tolist()


@pytest.mark.parametrize(
    ("maximum", "bits"), [(0, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16384, 16)]
)
def test_the_smallest_detector_depth_that_holds_the_maximum(maximum, bits):
    assert bit_depth_for(maximum) == bits


def test_eight_bit_grey_is_untouched_and_repeated():
    array = np.asarray(to_rgb(grey_row([0, 1, 127, 255], np.uint8)))
    assert array[0].tolist() == [[0, 0, 0], [1, 1, 1], [127, 127, 127], [255, 255, 255]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 100, 255], [0, 100, 255]),  # 8 bits in a 16-bit file
        ([0, 1023], [0, 255]),
        ([0, 2048, 4095], [0, 128, 255]),
        ([0, 3000], [0, 187]),  # 12-bit by its maximum: 3000 * 255 / 4095 = 186.8, not stretched to 255
        ([0, 16383], [0, 255]),
        ([0, 32768, 65535], [0, 128, 255]),
    ],
)
@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_deep_grey_is_scaled_not_clipped(values, expected, mode):
    image = grey_row(values, {"I;16": "<u2", "I;16B": ">u2", "I": np.int32}[mode])
    assert image.mode == mode
    assert reds(to_rgb(image)) == expected


@pytest.mark.parametrize(
    ("values", "expected"), [([0.0, 0.5, 1.0], [0, 128, 255]), ([0.0, 255.0], [0, 255]), ([0.0, 4095.0], [0, 255])]
)
def test_float_frames(values, expected):
    assert reds(to_rgb(grey_row(values, np.float32))) == expected


@pytest.mark.parametrize(
    ("values", "dtype", "words"),
    [
        ([0.0, float("nan")], np.float32, "not finite"),
        ([0.0, float("inf")], np.float32, "not finite"),
        ([-1, 5], np.int32, "negative"),
        ([0, 70000], np.int32, "65535"),
    ],
)
def test_values_without_a_rule_are_refused(values, dtype, words):
    with pytest.raises(ValueError, match=words):
        to_rgb(grey_row(values, dtype))


def test_empty_array_is_refused():
    with pytest.raises(ValueError, match="no pixels"):
        scale_grey(np.zeros((0, 3), np.uint16))


def test_opaque_alpha_changes_nothing_and_clear_pixels_are_black():
    image = Image.new("RGBA", (3, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (200, 200, 200, 0))
    image.putpixel((2, 0), (200, 100, 0, 128))
    array = np.asarray(to_rgb(image))
    assert array[0, 0].tolist() == [10, 20, 30]
    assert array[0, 1].tolist() == [0, 0, 0]
    assert array[0, 2].tolist() == [100, 50, 0]


@pytest.mark.parametrize("mode", ["LA", "La", "RGBa"])
def test_other_alpha_modes(mode):
    straight = Image.new("LA", (2, 1), (90, 255))
    image = straight.convert("RGBA").convert(mode) if mode == "RGBa" else straight.convert(mode)
    assert reds(to_rgb(image)) == [90, 90]


def test_a_wholly_transparent_image_is_refused():
    with pytest.raises(ValueError, match="transparent"):
        to_rgb(Image.new("RGBA", (2, 2), (50, 50, 50, 0)))


def test_palette_with_and_without_transparency():
    image = Image.new("P", (2, 1))
    image.putpalette([5, 6, 7, 200, 210, 220])
    image.putpixel((1, 0), 1)
    assert np.asarray(to_rgb(image))[0].tolist() == [[5, 6, 7], [200, 210, 220]]
    image.info["transparency"] = 0
    assert np.asarray(to_rgb(image))[0].tolist() == [[0, 0, 0], [200, 210, 220]]


def test_one_bit_and_cmyk():
    bits = Image.new("1", (2, 1))
    bits.putpixel((1, 0), 1)
    assert reds(to_rgb(bits)) == [0, 255]
    ink = Image.new("CMYK", (1, 1), (0, 0, 0, 255))
    assert np.asarray(to_rgb(ink))[0, 0].tolist() == [0, 0, 0]
    assert np.asarray(to_rgb(Image.new("CMYK", (1, 1), (0, 255, 255, 0))))[0, 0].tolist() == [255, 0, 0]


@given(hnp.arrays(np.uint16, st.tuples(st.integers(1, 4), st.integers(1, 4))))
def test_scaling_keeps_the_order_and_the_range(values):
    scaled = scale_grey(values)
    order = np.argsort(values, axis=None)
    assert (np.diff(scaled.ravel()[order].astype(int)) >= 0).all()
    full_scale = 2 ** bit_depth_for(int(values.max())) - 1
    assert np.abs(scaled.astype(float) - values * 255.0 / full_scale).max() <= 0.5 + 1e-9
