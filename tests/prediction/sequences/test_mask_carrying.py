"""Masks as prompts of a sequence, against transformers' own way with them, and what is followed from there."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Sam2VideoModel

from helpers.prediction.sequences import mask_carrying
from helpers.prediction.sequences.mask_carrying import MaskCarrier, MaskTracker
from tests.support.tiny_sam2 import random_part

SIDE = 64


def frame_of(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)).convert("RGB")


def square(at: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[at : at + 20, 8:40] = True
    return mask


@pytest.fixture(scope="module")
def part():
    return random_part()


@pytest.fixture
def single(monkeypatch):
    """SAM 2.0 makes the pointer of a mask from its single mask; transformers asks for the best of three."""
    whole = Sam2VideoModel._single_frame_forward
    monkeypatch.setattr(
        Sam2VideoModel, "_single_frame_forward", lambda self, **given: whole(self, **given, multimask_output=False)
    )


@pytest.mark.parametrize("mask", [square(10), np.zeros((SIDE, SIDE), bool)])
def test_a_mask_is_remembered_as_transformers_does(part, single, monkeypatch, mask):
    monkeypatch.setattr(part.sam2.mask_decoder.pred_obj_score_head.proj_out.bias, "data", torch.full((1,), 100.0))
    tracker = MaskTracker(part)
    with torch.inference_mode():
        features = tracker.encode(part.pixels(frame_of(0), wide=True))
        tracker.anchor(0, features, mask)
        theirs = part.sam2._use_mask_as_output(
            features.embedding, list(features.high_resolution), torch.from_numpy(mask)[None, None].float()
        )
        flat = features.embedding.flatten(2).permute(2, 0, 1)
        memory, _ = part.sam2._encode_new_memory(flat, theirs.high_res_masks, theirs.object_score_logits, False)
    mine = tracker._prompted[0]
    assert torch.equal(mine.features, memory)
    assert torch.allclose(mine.pointers, theirs.object_pointer.reshape(1, -1), atol=1e-6)


def test_an_object_score_below_0_forgets_no_mask(part, monkeypatch):
    pointers = []
    for bias in (100.0, -100.0):
        monkeypatch.setattr(part.sam2.mask_decoder.pred_obj_score_head.proj_out.bias, "data", torch.full((1,), bias))
        tracker = MaskTracker(part)
        with torch.inference_mode():
            tracker.anchor(0, tracker.encode(part.pixels(frame_of(0), wide=True)), square(10))
        pointers.append(tracker._prompted[0].pointers)
    assert torch.equal(*pointers) and not torch.equal(pointers[0], part.sam2.no_object_pointer)


def test_all_other_frames_are_followed_both_ways(part):
    found = dict(MaskCarrier(part).carry(frame_of, 6, {3: square(10)}))
    assert list(found) == [4, 5, 2, 1, 0]
    assert all(mask.shape == (SIDE, SIDE) and mask.dtype == np.bool_ for mask in found.values())


def test_sure_frames_are_kept_and_guide_the_others(part):
    alone = dict(MaskCarrier(part).carry(frame_of, 5, {1: square(10)}))
    both = dict(MaskCarrier(part).carry(frame_of, 5, {1: square(10), 3: square(30)}))
    assert list(both) == [2, 4, 0] and not np.array_equal(both[2], alone[2])


def test_frames_that_cannot_be_read_are_gaps(part):
    def read(position):
        return None if position in (1, 3) else frame_of(position)

    assert [position for position, _ in MaskCarrier(part).carry(read, 5, {3: square(9), 2: square(10)})] == [4, 0]
    assert list(MaskCarrier(part).carry(lambda position: None, 5, {3: square(9)})) == []


def test_what_is_remembered_does_not_grow_with_the_sure_frames(part, monkeypatch):
    monkeypatch.setattr(mask_carrying, "ANCHORS", 3)
    assert MaskCarrier(part).nearest_anchors((4, 0, 9, 3, 6)) == (4, 3, 6)  # the first one, and those nearest to it
    used = []
    whole = MaskTracker.anchor
    monkeypatch.setattr(MaskTracker, "anchor", lambda self, at, *given: used.append(at) or whole(self, at, *given))
    found = dict(MaskCarrier(part).carry(frame_of, 9, {4: square(10), **{at: square(at) for at in (0, 1, 5, 8)}}))
    assert used == [1, 4, 5] and sorted(found) == [2, 3, 6, 7]


def test_a_frame_of_another_size_has_a_mask_of_its_own_size(part):
    mask = np.zeros((30, 50), bool)
    mask[5:20, 5:20] = True
    (found,) = MaskCarrier(part).carry(lambda position: frame_of(position).resize((50, 30)), 2, {0: mask})
    assert found[1].shape == (30, 50)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_numbers_follow_too(dtype):
    part = random_part()
    part.sam2.to(dtype)
    assert len(list(MaskCarrier(part).carry(frame_of, 2, {0: square(10)}))) == 1
