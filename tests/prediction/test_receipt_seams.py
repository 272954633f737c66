"""The seams of one call, compared: each difference is named where it arises, on arrays of a few values."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.checkpoints.receipt.receipt_file import Fingerprint, FrameReceipt, Receipt, read_receipt
from helpers.checkpoints.receipt.receipt_script import fingerprint, write_receipt
from helpers.prediction.receipt_seams import (
    Computed,
    FrameComparison,
    Seam,
    SeamTolerance,
    compare_frame,
    tolerance_for,
)
from tests.support.tiny_official import TinyModules

EXACT = SeamTolerance(1e-5, 1e-3, 1e-3, 1e-3, 1e-3)


def print_of(*values: float) -> Fingerprint:
    return Fingerprint.of(*fingerprint(torch.tensor(values)))


def receipt_of(**changes) -> FrameReceipt:
    """A call with one `[SEG]`, whose mask is the second candidate."""
    values = {
        "pixels_sha256": "0" * 64,
        "width": 2,
        "height": 1,
        "answer": "[SEG]",
        "pixels": print_of(1.0, 2.0),
        "square": print_of(3.0, 4.0),
        "tower": print_of(5.0, 6.0),
        "prompt_ids": [1, 2],
        "answer_ids": [3, 4],
        "states": np.array([[1.0, 2.0]], np.float32),
        "projected": np.array([[3.0]], np.float32),
        "logits": np.array([[[4.0, -4.0]]], np.float32),
        "best": np.array([1]),
        "ious": np.array([[0.1, 0.9, 0.2]], np.float32),
        "masks": np.array([[[True, False]]]),
    }
    return FrameReceipt(**{**values, **changes})


def computed(**changes) -> Computed:
    """The same, computed here."""
    same = receipt_of()
    candidates = np.array([[[[1.0, 1.0]], [[4.0, -4.0]], [[0.0, 0.0]]]], np.float32)
    names = ("pixels", "square", "tower", "prompt_ids", "answer_ids", "states", "projected", "ious", "masks")
    values = {name: getattr(same, name) for name in names} | {"candidates": candidates}
    return Computed(**{**values, **changes})


def test_the_same_call():
    found = compare_frame(receipt_of(), computed(), EXACT)
    assert (found.seam, found.segments, found.seg_difference, found.mask_pixels, found.pixels) == (None, 1, 0.0, 0, 2)


@pytest.mark.parametrize(
    "changes, seam, said",
    [
        ({"pixels": print_of(1.0, 2.1)}, Seam.PIXELS, "relative difference 0.0"),
        ({"pixels": print_of(1.0)}, Seam.PIXELS, "shape (2,) in the receipt, (1,) here"),
        ({"prompt_ids": [1, 7]}, Seam.PROMPT, "part at place 1 (2 in the receipt, 7 here): another chat template"),
        ({"prompt_ids": [1]}, Seam.PROMPT, "2 ids in the receipt, 1 here"),
        ({"square": print_of(3.0, 4.1)}, Seam.SQUARE, "tolerance 1e-05"),
        ({"tower": print_of(5.0, 6.1)}, Seam.TOWER, "tolerance 0.001"),
        ({"answer_ids": [3, 5]}, Seam.ANSWER, "place 1 (4 in the receipt, 5 here)"),
        ({"states": np.array([[1.0, 2.5]], np.float32)}, Seam.SEG, "relative difference 0.22"),
        ({"states": np.ones((2, 2), np.float32)}, Seam.SEG, "1 [SEG] in the receipt, 2 here"),
        ({"states": np.ones((1, 3), np.float32)}, Seam.SEG, "2 values in the receipt, 3 here"),
        ({"states": np.array([[1.0, np.nan]], np.float32)}, Seam.SEG, "not finite here"),
        ({"states": np.array([[1.0, np.inf]], np.float32)}, Seam.SEG, "not finite here"),
        ({"projected": np.array([[3.1]], np.float32)}, Seam.PROJECTION, "relative difference 0.033"),
        ({"candidates": np.zeros((1, 3, 1, 2), np.float32)}, Seam.MASK, "logits: relative difference 1"),
        ({"candidates": np.zeros((2, 3, 1, 2), np.float32)}, Seam.MASK, "1 mask in the receipt, 2 here"),
        ({"ious": np.array([[0.95, 0.9, 0.2]], np.float32)}, Seam.MASK, "another candidate is chosen, by 0.05"),
    ],
)
def test_the_seam_that_breaks(changes, seam, said):
    found = compare_frame(receipt_of(), computed(**changes), EXACT)
    assert found.seam is seam and said in found.detail


def test_a_receipt_of_an_overflow_is_told_without_a_number_that_no_json_holds():
    found = compare_frame(receipt_of(states=np.array([[1.0, np.nan]], np.float32)), computed(), EXACT)
    assert found.seam is Seam.SEG and "not finite in the receipt" in found.detail and found.seg_difference is None


def test_the_first_seam_is_told():
    later = {"tower": print_of(9.0, 9.0), "answer_ids": [9]}
    assert compare_frame(receipt_of(), computed(prompt_ids=[9], **later), EXACT).seam is Seam.PROMPT
    assert compare_frame(receipt_of(), computed(**later), EXACT).seam is Seam.TOWER


def test_pixels_that_differ_between_masks_of_equal_logits_are_counted_and_do_not_decide():
    found = compare_frame(receipt_of(), computed(masks=np.array([[[True, True]]])), EXACT)
    assert found.seam is None and (found.mask_pixels, found.pixels) == (1, 2)


def ramp(low: int = 8) -> np.ndarray:
    """Low-resolution logits (1, low, low) that rise from left to right, 0 in the middle."""
    return np.broadcast_to(np.linspace(-4, 4, low, dtype=np.float32), (1, low, low)).copy()


def told_of_masks(mask: np.ndarray, tolerance: SeamTolerance = EXACT) -> FrameComparison:
    """The comparison of a receipt with this mask (16, 16), whose logits are a ramp and equal ours."""
    candidates = np.stack([np.zeros((1, 8, 8), np.float32), ramp(), np.zeros((1, 8, 8), np.float32)], 1)
    official = receipt_of(width=16, height=16, logits=ramp(), masks=mask[None])
    return compare_frame(official, computed(candidates=candidates, masks=mask[None]), tolerance)


@pytest.mark.parametrize("place, seam", [(8, None), (10, Seam.MASK), (6, Seam.MASK)])
def test_a_mask_of_another_threshold_than_its_logits_is_told(place, seam):
    mask = np.tile(np.arange(16) >= place, (16, 1))
    found = told_of_masks(mask)
    assert found.seam is seam and found.mask_pixels == 0
    if seam:
        assert "32 of 256 pixels of the receipt's masks contradict its own logits: another threshold" in found.detail


def test_a_pixel_whose_logit_is_near_0_may_be_either():
    mask = np.tile(np.arange(16) >= 9, (16, 1))  # the logit beside the middle is 0.25 of 1 around
    wide = SeamTolerance(1e-5, 1e-3, 1e-3, 1e-3, 0.5)
    assert told_of_masks(mask, wide).seam is None and told_of_masks(mask).seam is Seam.MASK


def test_a_mask_for_each_seg_is_expected():
    found = compare_frame(receipt_of(masks=np.ones((2, 1, 2), bool)), computed(), EXACT)
    assert found.seam is Seam.MASK and found.detail == "2 masks of 1 [SEG] in the receipt"


def test_candidates_of_nearly_equal_score_may_change_places():
    ious = np.array([[0.9004, 0.9, 0.2]], np.float32)
    assert compare_frame(receipt_of(), computed(ious=ious), EXACT).seam is None


def test_what_the_receipt_lacks_is_not_compared():
    none = np.zeros((0, 2), np.float32)
    bare = receipt_of(states=none, projected=none, answer_ids=[], square=None, masks=None)
    found = compare_frame(bare, computed(states=none, answer_ids=[8]), EXACT)
    assert found.seam is None and found.segments == 0 and found.seg_difference is None


def test_a_frame_without_seg_on_both_sides_is_equal_once_read_from_a_file(tmp_path):
    model = TinyModules()

    def call(image, prompt):
        model.mlp1(model.vision_model(torch.ones(1, 1)))
        model.embed_tokens(torch.tensor([[1, 2]]))
        return "No vessel."

    write_receipt(model, tmp_path / "receipt.npz", frames=[Image.new("L", (2, 1))], call=call)
    (official,) = read_receipt(tmp_path / "receipt.npz").frames
    same = {name: getattr(official, name) for name in ("pixels", "square", "tower", "prompt_ids", "answer_ids")}
    none = np.zeros((0, 3, 1, 2), np.float32)
    empty = {"states": np.zeros((0, 2), np.float32), "projected": np.zeros(0, np.float32), "candidates": none}
    found = compare_frame(official, computed(**same, **empty), EXACT)
    assert official.states.shape != empty["states"].shape and found == FrameComparison(None)
    assert compare_frame(official, computed(**same), EXACT).detail == "0 [SEG] in the receipt, 1 here"


def test_tolerances_follow_dtypes_and_devices():
    def tolerance(dtype, device, here=("float32", "float32"), on="cpu"):
        return tolerance_for(Receipt("", "", "", True, dtype, device, {}, (), {}), here, on)

    assert tolerance("float32", "cpu") == EXACT
    assert tolerance("float32", "cpu", on="cuda").states == 1e-2
    assert (tolerance("float32", "cuda").states, tolerance("float32", "cuda").logits) == (1e-2, 0.1)
    for narrow in (
        tolerance("bfloat16", "cpu"),
        tolerance("float32", "cpu", ("bfloat16", "float32")),
        tolerance("float32", "cpu", ("float32", "float16")),
    ):
        assert narrow.states == narrow.logits == 0.1
