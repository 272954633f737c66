"""Every Pillow mode becomes 8-bit RGB with values that can be checked by eye."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from helpers.model.image_mode import bit_depth_for, given_as_rgb, scale_grey, to_rgb


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


def test_opaque_alpha_changes_nothing_and_clear_black_is_black():
    image = Image.new("RGBA", (3, 1), (10, 20, 30, 255))
    assert np.asarray(to_rgb(image)).tolist() == [[[10, 20, 30]] * 3]
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 128))
    assert np.asarray(to_rgb(image))[0].tolist() == [[10, 20, 30], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("hidden", [(200, 200, 200, 0), (200, 100, 0, 128), (9, 9, 9, 254)])
@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "LA", "La", "PA"])
def test_a_picture_that_depends_on_the_ground_behind_it_is_refused(mode, hidden):
    image = Image.new("RGBA", (3, 1), (90, 90, 90, 255))
    image.putpixel((1, 0), hidden)
    if mode in {"RGBa", "La"} and not hidden[3]:
        return  # multiplied by it, such a pixel is black
    if mode in {"La", "PA"}:
        image = image.convert("LA")
    image = image.convert("P").convert(mode) if mode == "PA" else image.convert(mode)
    if mode == "PA":
        image.putalpha(Image.fromarray(np.uint8([[255, hidden[3], 255]])))
    with pytest.raises(ValueError, match="1 of 3 pixels are transparent, so that the picture depends on the ground"):
        to_rgb(image)


def test_a_picture_drawn_in_the_transparency_alone_is_refused():
    ink = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    ink.putpixel((1, 0), (0, 0, 0, 0))
    with pytest.raises(ValueError, match="1 of 2 pixels are transparent"):
        to_rgb(ink)


@pytest.mark.parametrize(("mode", "clear", "other"), [("L", 0, 90), ("L", 90, 0), ("I;16", 0, 900), ("I;16", 900, 0)])
def test_a_grey_that_counts_as_clear(mode, clear, other):
    image = Image.new(mode, (2, 1), other)
    image.putpixel((1, 0), clear)
    image.info["transparency"] = clear
    if clear == 0:
        assert reds(to_rgb(image))[1] == 0
    else:
        with pytest.raises(ValueError, match="1 of 2 pixels are transparent"):
            to_rgb(image)
    image.info["transparency"] = 33
    assert len(reds(to_rgb(image))) == 2


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
    unused = image.copy()
    unused.info["transparency"] = 7
    assert np.asarray(to_rgb(image))[0].tolist() == [[5, 6, 7], [200, 210, 220]]
    image.info["transparency"] = 0
    with pytest.raises(ValueError, match="1 of 2 pixels are transparent"):
        to_rgb(image)
    assert np.asarray(to_rgb(unused))[0].tolist() == [[5, 6, 7], [200, 210, 220]]


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


VARIED = np.arange(100, 164, dtype=np.uint8).reshape(8, 8)


def told(image: Image.Image) -> list[str]:
    """What is warned of when an image is given as it was opened; the pixels are those of `to_rgb`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (found,) = given_as_rgb([image])
        assert np.array_equal(np.asarray(found), np.asarray(to_rgb(image)))
    assert {one.category for one in caught} <= {UserWarning}
    return [str(one.message) for one in caught]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK"])
def test_an_image_that_shows_something_is_taken_without_a_word(mode):
    assert told(Image.fromarray(VARIED).convert(mode)) == []


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(VARIED.astype(np.uint16) * 16),
        Image.fromarray(VARIED.astype(np.int32) * 16),
        Image.fromarray(VARIED.astype(">u2") * 16),
        Image.fromarray(VARIED.astype(np.float32) / 255),
    ],
    ids=["I;16", "I", "I;16B", "F"],
)
def test_a_depth_that_one_image_decides_is_warned_of(image):
    (text,) = told(image)
    assert "the largest of what was given" in text and f"mode {image.mode} " in text and "vesselkit predict" in text


@pytest.mark.parametrize(
    "image",
    [
        *(Image.new("L", (20, 20), value) for value in (0, 7, 255)),
        Image.new("RGB", (20, 20), (9, 200, 30)),
        Image.fromarray(np.full((20, 20), 300, np.uint16)).convert("RGB"),
        # A 12-bit frame behind black shutters, turned white by Pillow; and a mask in place of the frame.
        Image.fromarray(np.pad(VARIED.astype(np.uint16) * 8, 9)).convert("RGB"),
        Image.fromarray(np.eye(20, dtype=np.uint8) * 255),
        Image.fromarray(np.pad(np.full((1, 1), 90, np.uint8), 10, constant_values=50)),
    ],
)
def test_an_image_without_anything_to_segment_is_warned_of(image):
    (text,) = told(image)
    assert "nothing to segment" in text and ".convert('RGB')" in text


def test_a_constant_image_of_16_bits_has_both_warnings():
    assert len(told(Image.fromarray(np.full((8, 8), 3000, np.uint16)))) == 2


def test_frames_of_one_sequence_have_one_depth():
    """A pixel of 1023 or 1024 in one frame decides for all: no frame comes out four times darker than another."""
    frames = [VARIED.astype(np.uint16) * 4, VARIED.astype(np.uint16) * 4]
    for brightest, bits in ((1023, 10), (1024, 12)):
        frames[1][0, 0] = brightest
        with pytest.warns(UserWarning, match="the largest of what was given"):
            found = given_as_rgb([Image.fromarray(frame) for frame in frames])
        expected = [np.rint(frame * (255 / (2**bits - 1))) for frame in frames]
        assert all(np.array_equal(np.asarray(one)[..., 0], wanted) for one, wanted in zip(found, expected, strict=True))
    halves = [Image.fromarray(VARIED.astype(np.float32) / top) for top in (255, 510)]
    with pytest.warns(UserWarning):
        assert [np.asarray(one).max() for one in given_as_rgb(halves)] == [163, 82]


def test_a_sequence_with_a_blank_frame_is_taken_and_one_of_blank_frames_is_warned_of(recwarn):
    given_as_rgb([Image.new("L", (8, 8)), Image.fromarray(VARIED)])
    assert not recwarn.list
    given_as_rgb([Image.new("L", (8, 8))] * 2)
    assert ["nothing to segment" in str(one.message) for one in recwarn.list] == [True]


@pytest.mark.parametrize("value", [np.nan, np.inf, 70000])
def test_a_frame_without_a_rule_is_refused_among_others(value):
    frames = [np.full((2, 2), 300.0, np.float32), np.full((2, 2), value, np.float32)]
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="not finite|65535"):
        given_as_rgb([Image.fromarray(frame) for frame in frames])
