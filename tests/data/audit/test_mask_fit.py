"""Masks that were turned, or belong to other frames, do not lie on what their frames show."""

import numpy as np
import pytest
from PIL import Image

from helpers.data.audit.audit import audit
from helpers.data.audit.mask_fit import contrasts_of, fit_of
from helpers.data.dataset import open_dataset
from tests.support.drawn_masks import vessel_tree

SIDE, FRAMES = 64, 8

TURNED = {
    "mirrored left to right": lambda mask: mask[:, ::-1],
    "mirrored upside down": lambda mask: mask[::-1],
    "turned by a half": lambda mask: mask[::-1, ::-1],
    "with rows and columns exchanged": lambda mask: mask.T,
    "turned to the left": lambda mask: np.rot90(mask, -1),
    "turned to the right": lambda mask: np.rot90(mask),
    "with rows and columns exchanged from the other corner": lambda mask: mask[::-1, ::-1].T,
}


@pytest.fixture(scope="module")
def drawn():
    """Frames and masks, eight of each."""
    rng = np.random.default_rng(5)
    masks = [vessel_tree(rng, SIDE) for _ in range(FRAMES)]
    return [(np.where(mask, 90, 170) + rng.normal(0, 8, mask.shape), mask) for mask in masks]


def fit(pairs):
    return fit_of([contrasts_of(frame, mask) for frame, mask in pairs])


def kinds(folder, pairs):
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for number, (frame, mask) in enumerate(pairs):
        Image.fromarray(frame.clip(0, 255).astype(np.uint8)).save(folder / f"images/{number}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"masks/{number}.png")
    return {found.kind: found.what for found in audit(open_dataset(folder)).findings}


def test_masks_that_lie_right_are_not_told_of(drawn, tmp_path):
    found = fit(drawn)
    assert (found.turned, found.fitting, found.darker, found.brighter) == (None, FRAMES, FRAMES, 0)
    assert not found.unrelated and not found.mixed
    assert kinds(tmp_path, drawn) == {}


@pytest.mark.parametrize("way", TURNED)
def test_each_way_of_turning_is_named_as_the_way_back(drawn, way):
    found = fit([(frame, TURNED[way](mask)) for frame, mask in drawn])
    assert found.turned == way and found.fitting == 0 and not found.unrelated


def test_frames_that_are_not_square_are_mirrored_and_not_laid_over(drawn):
    found = fit([(frame[:48], mask[:48][::-1]) for frame, mask in drawn])
    assert found.turned == "mirrored upside down"


def test_masks_of_other_frames_and_negatives_are_told(drawn, tmp_path):
    shifted = [(frame, drawn[number - 3][1]) for number, (frame, _) in enumerate(drawn)]
    assert fit(shifted).unrelated
    negatives = [(255 - frame if number % 2 else frame, mask) for number, (frame, mask) in enumerate(drawn)]
    assert (fit(negatives).mixed, fit(negatives).turned) == (True, None)
    assert kinds(tmp_path, [(frame, mask.T) for frame, mask in drawn])["turned_truth"].endswith(
        "fit what these show with rows and columns exchanged"
    )


def test_masks_of_another_part_mark_nothing(drawn):
    pairs = [*drawn, *((np.rot90(frame), np.rot90(mask)) for frame, mask in drawn)]
    assert not fit(pairs).unrelated
    moved = fit([(frame, np.roll(mask, 20, (0, 1))) for frame, mask in pairs])
    assert moved.darker + moved.brighter == 0 and moved.unrelated


def test_too_few_and_telling_nothing(drawn):
    assert fit(drawn[:5]) is None
    frame, mask = drawn[0]
    assert contrasts_of(frame, ~mask) is None and contrasts_of(frame, np.zeros_like(mask)) is None
    assert contrasts_of(np.full_like(frame, 7), mask) is None
