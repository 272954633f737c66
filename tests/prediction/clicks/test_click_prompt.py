"""What a user may show of an object, and what the mask decoder gets of it."""

import numpy as np
import pytest
import torch

from helpers.core.errors import UsageProblem
from helpers.prediction.clicks.click_prompt import ClickPrompt, encode_prompt, mask_logits
from tests.support.tiny_sam2 import SIZES, random_sam2

SIDE = SIZES.image_size // 4


@pytest.fixture(scope="module")
def sam2():
    return random_sam2()


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "expected a click, a box or a mask"),
        ({"points": [(1, 2)], "labels": []}, "labels: expected 1 or 0 for each of 1 points"),
        ({"points": [(1, 2)], "labels": [2]}, "labels"),
        ({"points": [(1, 2, 3)], "labels": [1]}, "points"),
        ({"points": [(float("nan"), 2)], "labels": [1]}, "points"),
        ({"box": [9, 1, 3, 4]}, "x1 <= x2"),
        ({"box": [1, 2, 3]}, "box"),
        ({"mask": np.ones((4, 4), bool), "logits": np.ones((4, 4))}, "Leave one of them out"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, word):
    with pytest.raises(UsageProblem, match=word):
        ClickPrompt(**given)


@pytest.mark.parametrize(
    ("mask", "word"), [(np.ones((8, 9), bool), r"bool \(8, 8\)"), (np.ones((8, 8), np.uint8), "uint8")]
)
def test_a_mask_is_of_the_frame_s_size_and_bool(sam2, mask, word):
    with pytest.raises(UsageProblem, match=word):
        encode_prompt(sam2, ClickPrompt(mask=mask), 8, 8)


def test_logits_are_of_an_answer_s_size(sam2):
    with pytest.raises(UsageProblem, match=r"logits: expected \(16, 16\)"):
        encode_prompt(sam2, ClickPrompt(logits=np.zeros((8, 8))), 8, 8)


def test_a_box_comes_before_the_points_and_the_padding_is_last(sam2):
    encoder = sam2.prompt_encoder
    both, _ = encode_prompt(sam2, ClickPrompt([(4, 2)], [0], box=(1, 1, 7, 3)), 8, 8)
    box, _ = encode_prompt(sam2, ClickPrompt(box=(1, 1, 7, 3)), 8, 8)
    point, _ = encode_prompt(sam2, ClickPrompt([(4, 2)], [0]), 8, 8)
    assert torch.allclose(both[0, 0], torch.cat([box[0, 0, :2], point[0, 0]]), atol=1e-5)
    assert torch.equal(both[0, 0, -1], encoder.not_a_point_embed.weight[0])


def test_points_are_scaled_from_the_frame_to_the_square_of_the_network(sam2):
    wide, _ = encode_prompt(sam2, ClickPrompt([(32, 4)], [1]), 8, 128)
    square, _ = encode_prompt(sam2, ClickPrompt([(16, 32)], [1]), 64, 64)
    assert torch.equal(wide, square)


def test_a_mask_alone_has_no_token(sam2):
    sparse, dense = encode_prompt(sam2, ClickPrompt(mask=np.eye(8, dtype=bool)), 8, 8)
    assert sparse.shape == (1, 1, 0, SIZES.d_model) and dense.shape == (1, SIZES.d_model, SIDE // 4, SIDE // 4)


def test_a_thin_vessel_leaves_its_share_in_each_cell():
    mask = np.zeros((8, 8), bool)
    mask[:, 4] = True  # half of the third column of cells, and a quarter of its left neighbour's wide sum
    made = mask_logits(mask, 4)[0, 0]
    assert made.shape == (4, 4) and (made[:, 0] == -10).all()
    assert (made[:, 2] > made[:, 1]).all() and (made[:, 1] > made[:, 0]).all()
    assert (mask_logits(np.ones((8, 8), bool), 4) == 10).all() and (mask_logits(~np.ones((8, 8), bool), 4) == -10).all()
