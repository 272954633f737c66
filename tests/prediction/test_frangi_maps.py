"""Lines are found, whatever the contrast; edges are not; cleaning the map is cleaning the mask at every threshold."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import remove_small_objects

from helpers.prediction.frangi import (
    FrangiSettings,
    Intensity,
    Ridge,
    cleaned,
    combined,
    field_of_view,
    threshold_at,
    to_logits,
    vesselness,
)
from helpers.runs.stored_maps import round_for_storage
from tests.support.drawn_angiograms import drawn_grey, drawn_truth

SETTINGS = FrangiSettings(scales=(6.0, 8.0), smallest=500, threshold=1.0)


@pytest.mark.parametrize("ridge", Ridge)
@pytest.mark.parametrize("intensity", Intensity)
def test_a_drawn_line_is_found(ridge, intensity):
    truth = drawn_truth(4)
    mask = vesselness(drawn_grey(truth), replace(SETTINGS, ridge=ridge, intensity=intensity)) > 1
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.8


def test_a_bright_line_is_no_vessel():
    grey = drawn_grey(drawn_truth(4))
    found = vesselness(1 - grey, replace(SETTINGS, intensity=Intensity.GREY))
    assert found[42, 64] < 0.1


@settings(max_examples=20)
@given(gain=st.floats(0.3, 1.4), offset=st.floats(0, 0.3))
def test_contrast_and_offset_of_the_grey_values_do_not_matter(gain, offset):
    truth, grey_only = drawn_truth(4, 64), replace(SETTINGS, intensity=Intensity.GREY)
    grey = drawn_grey(truth) + 0.2
    assert vesselness(grey * gain + offset, grey_only) == pytest.approx(vesselness(grey, grey_only), abs=1e-3)


def test_size_does_not_matter():
    small = vesselness(drawn_grey(drawn_truth(4), noise=0), SETTINGS) > 1
    large = vesselness(np.kron(drawn_grey(drawn_truth(4), noise=0), np.ones((2, 2), np.float32)), SETTINGS) > 1
    assert (np.kron(small, np.ones((2, 2), bool)) != large).mean() < 0.02


def test_a_turned_frame_gives_the_turned_map():
    grey = drawn_grey(drawn_truth(4))
    assert vesselness(np.rot90(grey), SETTINGS) == pytest.approx(np.rot90(vesselness(grey, SETTINGS)), abs=1e-2)


def test_a_flat_frame_and_a_tiny_one_have_none():
    assert not vesselness(np.full((20, 30), 0.5, np.float32), SETTINGS).any()
    assert vesselness(np.zeros((1, 1), np.float32), SETTINGS).shape == (1, 1)


def test_what_lies_outside_the_field_and_its_edge_is_no_vessel():
    grey = np.full((512, 512), 0.6, np.float32)
    grey[:, :100] = 0.02
    field = field_of_view(grey)
    assert not field[:, :113].any() and field[100:400, 115:490].all()
    assert not field[:13].any() and not field[:, -13:].any()


def test_a_dark_vessel_at_the_rim_leaves_the_field():
    grey = np.full((512, 512), 0.6, np.float32)
    grey[250:252, :200] = 0.05
    assert field_of_view(grey)[250:252, 50:150].all()


@given(seed=st.integers(0, 50), threshold=st.floats(0.1, 0.9))
def test_cleaning_the_map_is_cleaning_the_mask(seed, threshold):
    found = np.random.default_rng(seed).random((16, 16)).astype(np.float32)
    opening = FrangiSettings(smallest=5 * 32**2)
    expected = remove_small_objects(found > threshold, max_size=4, connectivity=2)
    assert ((cleaned(found, opening) > threshold) == expected).all()


def test_the_top_twentieth_lies_above_one():
    found = combined([np.arange(100, dtype=np.float32).reshape(10, 10)])
    assert (found > 1).sum() == 5


@given(threshold=st.floats(0.05, 5), value=st.floats(0, 20))
def test_logit_zero_is_the_threshold(threshold, value):
    logit = round_for_storage(to_logits(np.array([[value]], np.float32), threshold))[0, 0]
    if abs(value - threshold) > 1e-4 * (1 + threshold):
        assert (logit > 0) == (value > threshold)
    assert threshold_at(0, threshold) == pytest.approx(threshold)
    assert (np.diff(to_logits(np.linspace(0, 10, 50, dtype=np.float32), threshold)) > 0).all()
