"""Logits in 8 bits: what they cost, and that the arithmetic is that of the run format."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from helpers.core.vocabulary import Combine
from helpers.review.logit_coding import SLIDER_STEP, coded_map, resized
from helpers.runs.stored_maps import StoredLogits, Upsampling, combined_map, threshold_logit
from tests.support.review_runs import smooth_logits, two_step

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)


def full_map(stored, combine=Combine.UNION, iou=None):
    return combined_map(stored.full_size(), combine, iou)


@settings(max_examples=40, deadline=None)
@given(size=st.tuples(*[st.integers(1, 12)] * 4), seed=st.integers(0, 99))
def test_resampling_is_that_of_the_run_format(size, seed):
    height, width, to_height, to_width = size
    values = np.random.default_rng(seed).normal(0, 10, (height, width)).astype(np.float32)
    wanted = interpolate(
        torch.from_numpy(values)[None, None], size=(to_height, to_width), mode="bilinear", align_corners=False
    )
    found = resized(values, to_height, to_width)
    assert found.dtype == np.float32 and np.allclose(found, wanted[0, 0].numpy(), atol=1e-4)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("frame", [(512, 512), (300, 420)])
def test_masks_of_the_models_grid_differ_by_next_to_nothing(seed, frame):
    stored = two_step(smooth_logits(seed, 1 + seed % 2, grid=128), *frame, network=512)
    coded, exact = coded_map(stored, Combine.UNION, [None] * len(stored.logits)), full_map(stored)
    for threshold in THRESHOLDS:
        mask, wanted = coded.mask(threshold), exact > np.float32(threshold_logit(threshold))
        assert (mask != wanted).mean() <= 0.001
        assert 1 - 2 * (mask & wanted).sum() / (mask.sum() + wanted.sum()) <= 0.002


@given(values=st.lists(st.floats(-65504, 65504, width=16), min_size=1, max_size=30), step=st.integers(1, 199))
def test_maps_of_the_frames_size_give_the_exact_mask_of_every_slider_position(values, step):
    stored = StoredLogits(np.array(values, np.float16)[None, None], Upsampling.NONE, None, len(values), 1)
    threshold = step * SLIDER_STEP
    wanted = full_map(stored) > np.float32(threshold_logit(threshold))
    assert np.array_equal(coded_map(stored, Combine.UNION, [None]).mask(threshold), wanted)


@pytest.mark.parametrize("combine", Combine)
def test_several_maps_become_one_by_the_runs_rule(combine):
    stored = two_step(smooth_logits(0, count=3))
    iou = [0.2, None, 0.9]
    exact = full_map(stored, combine, np.array([0.2, np.nan, 0.9]))
    assert np.abs(coded_map(stored, combine, iou).full_size() - exact).max() < 0.3


def test_levels_are_closest_where_thresholds_lie():
    levels = coded_map(two_step(smooth_logits(0)), Combine.UNION, [None]).levels
    gaps = np.diff(levels)
    assert len(levels) == 256 and (gaps > 0).all()
    assert gaps[np.abs(levels[:-1]) < 1].max() < 0.05 and gaps.max() < 0.4


def test_a_flat_map_and_no_map():
    flat = two_step(np.full((1, 4, 4), 2.5, np.float16))
    assert np.allclose(coded_map(flat, Combine.UNION, [None]).full_size(), 2.5)
    assert coded_map(two_step(np.zeros((0, 4, 4), np.float16)), Combine.UNION, []) is None
