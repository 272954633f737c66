"""Thresholds and the ways in which several maps become one mask."""

import numpy as np
import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Combine
from helpers.runs.mask_files import combined_mask, png_bytes, read_png, threshold_logit

MAPS = np.array([[[3.0, -3.0, 0.0]], [[-3.0, 3.0, 0.5]]], np.float32)


@pytest.mark.parametrize(
    "combine, iou, inside",
    [
        (Combine.UNION, None, [1, 1, 1]),
        (Combine.FIRST, [0.1, 0.9], [1, 0, 0]),
        (Combine.BEST, [0.1, 0.9], [0, 1, 1]),
        (Combine.BEST, None, [1, 0, 0]),
    ],
)
def test_several_maps_become_one_mask(combine, iou, inside):
    mask = combined_mask(MAPS, 0.5, combine, None if iou is None else np.array(iou))
    assert mask.dtype == bool and mask.astype(int).tolist() == [inside]


def test_a_higher_threshold_takes_pixels_away():
    assert combined_mask(MAPS, 0.9, Combine.UNION).tolist() == [[True, True, False]]
    assert threshold_logit(0.5) == 0.0


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1, 2])
def test_a_threshold_is_inside_zero_and_one(threshold):
    with pytest.raises(UsageProblem, match="threshold"):
        threshold_logit(threshold)


def test_a_mask_file_gives_back_the_mask(tmp_path):
    mask = np.array([[True, False], [False, True], [True, True]])
    path = tmp_path / "m.png"
    path.write_bytes(png_bytes(mask))
    assert np.array_equal(read_png(path), mask) and png_bytes(mask) == path.read_bytes()
    path.write_bytes(b"none")
    with pytest.raises(RefusedInput, match=r"m\.png"):
        read_png(path)
