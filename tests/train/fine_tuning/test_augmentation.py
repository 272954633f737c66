"""Changes of frames: image and mask stay together."""

import numpy as np
import pytest
from PIL import Image

from helpers.train.fine_tuning import AngiogramChanges

NONE = {
    "mirror": False,
    "turn": 0.0,
    "zoom": (1.0, 1.0),
    "shift": 0.0,
    "gamma": (1.0, 1.0),
    "contrast": (1.0, 1.0),
    "brightness": 0.0,
    "noise": 0.0,
    "blur": 0.0,
}


def picture():
    mask = np.zeros((64, 64), bool)
    mask[10:20, 30:60] = True
    return Image.fromarray(np.where(mask, 40, 200).astype(np.uint8)).convert("RGB"), mask


def test_without_ranges_nothing_changes():
    image, mask = picture()
    changed, truth = AngiogramChanges(**NONE)(image, mask, np.random.default_rng(0))
    assert np.array_equal(np.asarray(changed), np.asarray(image)[..., 0])
    assert np.array_equal(truth, mask)


@pytest.mark.parametrize("seed", range(6))
def test_the_mask_moves_with_the_image(seed):
    image, mask = picture()
    moving = {**NONE, "mirror": True, "turn": 45.0, "zoom": (0.7, 1.5), "shift": 0.1}
    changed, truth = AngiogramChanges(**moving)(image, mask, np.random.default_rng(seed))
    dark = np.asarray(changed) < 120
    assert truth.any()
    assert (dark & truth).sum() / (dark | truth).sum() > 0.9


def test_greys_change_and_the_mask_does_not():
    image, mask = picture()
    greys = {**NONE, "gamma": (0.5, 2.0), "contrast": (0.5, 2.0), "brightness": 0.2, "noise": 20.0}
    changed, truth = AngiogramChanges(**greys)(image, mask, np.random.default_rng(1))
    assert np.array_equal(truth, mask)
    assert np.abs(np.asarray(changed, float) - np.asarray(image.convert("L"), float)).mean() > 5
    again, _ = AngiogramChanges(**greys)(image, mask, np.random.default_rng(1))
    assert np.array_equal(np.asarray(changed), np.asarray(again))
