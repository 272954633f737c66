"""Label Studio's brush code."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from helpers.data.exchange.brush_rle import BadBrush, decode_brush, encode_brush


@given(mask=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_a_mask_comes_back(mask):
    found, between = decode_brush(encode_brush(mask), mask.shape[1], mask.shape[0])
    assert np.array_equal(found, mask) and between == 0


def test_one_white_pixel_by_hand():
    head = f"{4:032b}" + f"{7:05b}" + "0010" + "0011" + "0111" + "1111"
    bits = head + "1" + "00" + f"{3:03b}" + f"{255:08b}"
    bits += "0" * (-len(bits) % 8)
    expected = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    assert encode_brush(np.ones((1, 1), bool)) == expected


def test_long_runs_are_cut_to_what_16_bits_hold():
    mask = np.zeros((300, 300), bool)
    mask[7, 5:] = True
    assert np.array_equal(decode_brush(encode_brush(mask), 300, 300)[0], mask)


def test_values_that_are_not_repeated_are_read():
    head = f"{4:032b}" + f"{7:05b}" + "0010" + "0011" + "0111" + "1111"
    bits = head + "0" + "00" + f"{3:03b}" + "".join(f"{value:08b}" for value in (1, 2, 3, 200))
    bits += "0" * (-len(bits) % 8)
    mask, between = decode_brush([int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)], 1, 1)
    assert mask.all() and between == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("text", "a list of bytes"),
        ([256], "a list of bytes"),
        ([0, 0], "cut short"),
        (encode_brush(np.ones((2, 2), bool))[:-2], "cut short|do not fit"),
        (encode_brush(np.ones((2, 3), bool)), "expected 2x2 pixels"),
    ],
)
def test_a_damaged_code_is_refused(code, words):
    with pytest.raises(BadBrush, match=words):
        decode_brush(code, 2, 2)


def test_an_absurd_size_is_refused_before_anything_is_made():
    with pytest.raises(BadBrush, match="too large"):
        decode_brush([0] * 10, 10**6, 10**6)
