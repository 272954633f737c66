"""The two resizes, the order of patches and the positions of the Qwen families, by eye."""

import pytest
import torch
from PIL import Image

from helpers.model.qwen_pixels import (
    PixelSettings,
    fitted_size,
    patch_grid,
    picture_patches,
    picture_positions,
    resized_picture,
)

TINY = PixelSettings(2, 2, 2, 16, 64, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 512), (640, 640)),  # below the least: grown, sides rounded up
        ((1600, 1200), (1440, 1088)),  # above the most: shrunk, sides rounded down
        ((700, 1000), (704, 992)),  # between: each side to the nearest multiple, 31.25 times 32
        ((656, 720), (640, 704)),  # 20.5 and 22.5 go to the even number
    ],
)
def test_sizes_are_multiples_between_the_limits(size, expected):
    assert fitted_size(*size, 32, 512 * 28 * 28, 2048 * 28 * 28) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((14, 1400), (28, 1400)),  # half a multiple is one: 39,200 pixels are enough
        ((600, 3), (588, 28)),
        ((14, 50), (56, 112)),  # 28 x 56 is below the least: grown
        ((1, 1), (56, 56)),
    ],
)
def test_a_narrow_side_of_the_first_resize_is_one_multiple(size, expected):
    assert fitted_size(*size, 28, 4 * 28 * 28, 16384 * 28 * 28) == expected


def test_a_strip_is_refused():
    with pytest.raises(ValueError, match="at most 1 to 200, got 2010 x 10 pixels"):
        fitted_size(10, 2010, 28, 0, 10**9)


def test_a_picture_goes_to_multiples_of_28_first():
    settings = PixelSettings(16, 2, 2, 512 * 28 * 28, 2048 * 28 * 28, (0.5,) * 3, (0.5,) * 3)
    pixels = resized_picture(Image.new("RGB", (512, 512), (10, 20, 30)), settings)
    assert pixels.shape == (3, 640, 640) and pixels.dtype == torch.uint8
    assert pixels.flatten(1).unique(dim=1).tolist() == [[10], [20], [30]]
    assert patch_grid(pixels, settings) == (40, 40)


def test_patches_of_a_token_come_together_and_a_picture_is_repeated_in_time():
    pixels = (torch.arange(32).reshape(1, 1, 4, 8) * torch.tensor([1, 0, 0]).view(1, 3, 1, 1)).to(torch.uint8)
    patches = picture_patches(pixels, TINY)
    assert patches.shape == (8, 3 * 2 * 2 * 2)
    red = ((patches.view(8, 3, 2, 4)[:, 0] + 1) * 127.5).round().int()
    assert red[:, 0].tolist() == [
        [0, 1, 8, 9], [2, 3, 10, 11], [16, 17, 24, 25], [18, 19, 26, 27],
        [4, 5, 12, 13], [6, 7, 14, 15], [20, 21, 28, 29], [22, 23, 30, 31],
    ]  # fmt: skip
    assert torch.equal(red[:, 0], red[:, 1])


def test_positions_within_a_picture_run_over_its_grid_and_go_on_from_the_largest():
    found = picture_positions([(2, None), (6, (2, 3)), (2, None)])
    assert found.tolist() == [
        [0, 1, 2, 2, 2, 2, 2, 2, 5, 6],
        [0, 1, 2, 2, 2, 3, 3, 3, 5, 6],
        [0, 1, 2, 3, 4, 2, 3, 4, 5, 6],
    ]
