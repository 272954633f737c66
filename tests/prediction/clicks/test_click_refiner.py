"""Frames are read once, and answers have the frame's size."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.prediction.clicks import click_refiner
from helpers.prediction.clicks.click_prompt import ClickPrompt
from helpers.prediction.clicks.click_refiner import ClickRefiner
from helpers.prediction.engine.model_loading import stored_tensors
from tests.support.tiny_sam2 import random_part

CLICK = ClickPrompt([(20, 10)], [1])


def frame_of(number: int) -> Image.Image:
    grey = np.random.default_rng(number).integers(0, 255, (30, 40), dtype=np.uint8)
    return Image.fromarray(grey)


@pytest.fixture
def refiner():
    return ClickRefiner(random_part())


def test_one_click_has_three_answers_and_more_have_one(refiner):
    frame = refiner.open(frame_of(0))
    first = refiner.refine(frame, CLICK)
    assert first.logits.shape == (3, 30, 40) and first.logits.dtype == np.float32
    assert first.low_resolution.shape == (3, 16, 16) and first.predicted_iou.shape == (3,)
    np.testing.assert_array_equal(first.mask, first.logits[first.predicted_iou.argmax()] > 0)
    going_on = ClickPrompt([(20, 10), (1, 2)], [1, 0], logits=first.low_resolution[first.best])
    assert refiner.refine(frame, going_on).logits.shape == (1, 30, 40)
    assert len(refiner.refine(frame, ClickPrompt([(20, 10)], [1], mask=np.ones((30, 40), bool))).logits) == 1
    assert len(refiner.refine(frame, ClickPrompt(box=(1, 1, 5, 5))).logits) == 1


def test_what_goes_back_in_ends_at_32_and_the_answer_does_not(refiner):
    for one in refiner._part.sam2.mask_decoder.output_hypernetworks_mlps:
        one.proj_out.weight *= 1e6
    answer = refiner.refine(refiner.open(frame_of(0)), CLICK)
    assert np.abs(answer.logits).max() > 100 and np.abs(answer.low_resolution).max() == 32


def test_a_frame_is_read_once_while_it_is_among_the_last(refiner, monkeypatch):
    monkeypatch.setattr(click_refiner, "FRAMES_KEPT", 2)
    read = []
    encode = refiner._part.sam2.get_image_embeddings
    monkeypatch.setattr(refiner._part.sam2, "get_image_embeddings", lambda pixels: read.append(1) or encode(pixels))
    for number, expected in ((0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (1, 4)):
        refiner.open(frame_of(number))
        assert len(read) == expected, number


def test_numbers_that_overflow_are_no_mask(refiner):
    refiner._part.sam2.mask_decoder.output_hypernetworks_mlps[1].proj_out.bias.fill_(float("inf"))
    with pytest.raises(UsageProblem, match="overflow"):
        refiner.refine(refiner.open(frame_of(0)), CLICK)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_numbers_answer_nearly_alike(refiner, dtype):
    wide = refiner.refine(refiner.open(frame_of(0)), CLICK)
    part = random_part()
    part.sam2.to(dtype)
    part.sam2.prompt_encoder.shared_embedding.float()
    narrow = ClickRefiner(part)
    answer = narrow.refine(narrow.open(frame_of(0)), CLICK)
    assert answer.logits.dtype == np.float32
    assert np.abs(answer.logits - wide.logits).max() < 0.1 * np.abs(wide.logits).max()


def test_a_folder_s_sam2_is_loaded_by_itself(fixture_folder):
    refiner = ClickRefiner.load(fixture_folder, "cpu")
    stored = dict(stored_tensors(fixture_folder, torch.device("cpu"), "sam2."))
    mine = refiner._part.sam2.state_dict()
    assert {f"sam2.{name}" for name in mine} == set(stored)
    assert all(torch.equal(mine[name.removeprefix("sam2.")], tensor.float()) for name, tensor in stored.items())
    assert refiner.identity["folder_name"] == fixture_folder.name and refiner.identity["tensors_sha256"]


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(RefusedInput, match=r"config\.json"):
        ClickRefiner.load(tmp_path)
