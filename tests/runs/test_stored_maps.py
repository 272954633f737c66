"""Stored logits: equal bytes for equal maps, and the two steps of upsampling."""

import numpy as np
import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Combine
from helpers.runs.stored_maps import (
    StoredLogits,
    Upsampling,
    combined_mask,
    npz_bytes,
    png_bytes,
    read_npz,
    read_png,
    round_for_storage,
    threshold_logit,
)


def stored(values, upsampling=Upsampling.NONE, network_size=None, width=3, height=2):
    return StoredLogits(np.array(values, np.float16), upsampling, network_size, width, height)


def test_a_file_gives_back_what_was_stored(tmp_path):
    one = stored([[[1, -2], [0.5, 8]]], Upsampling.SAM2_TWO_STEP, 4, 3, 2)
    path = tmp_path / "p1.npz"
    path.write_bytes(npz_bytes(one))
    found = read_npz(path)
    assert (found.upsampling, found.network_size, found.width, found.height) == (one.upsampling, 4, 3, 2)
    assert np.array_equal(found.logits, one.logits) and npz_bytes(found) == npz_bytes(one)


def test_two_steps_of_a_constant_are_that_constant_and_halves_stay_apart():
    flat = stored(np.full((2, 2, 2), 1.5), Upsampling.SAM2_TWO_STEP, 8, 5, 7).full_size()
    assert flat.shape == (2, 7, 5) and flat.dtype == np.float32 and np.allclose(flat, 1.5, atol=1e-6)
    halves = stored([[[-4, 4], [-4, 4]]], Upsampling.SAM2_TWO_STEP, 8, 4, 4).full_size()[0]
    assert np.allclose(halves[:, 0], -4, atol=1e-6) and np.allclose(halves[:, 3], 4, atol=1e-6)


def test_maps_of_the_frames_size_are_left_alone():
    values = np.arange(6).reshape(1, 2, 3)
    assert np.array_equal(stored(values).full_size(), values)


def test_rounding_stays_in_range():
    assert round_for_storage(np.array([1e9, -1e9, 0.5])).tolist() == [65504, -65504, 0.5]


@pytest.mark.parametrize("shape", [(1, 2, 2), (2, 3)])
def test_maps_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        stored(np.zeros(shape))


def test_a_damaged_file_is_refused_by_name(tmp_path):
    path = tmp_path / "p1.npz"
    path.write_bytes(npz_bytes(stored(np.zeros((1, 2, 3))))[:40])
    with pytest.raises(RefusedInput, match=r"p1\.npz"):
        read_npz(path)


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
