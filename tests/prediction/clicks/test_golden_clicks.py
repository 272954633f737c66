"""Clicks, boxes and mask prompts against what official SAM 2.0 recorded on the same tiny model."""

from functools import cache

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from helpers.prediction.clicks.click_prompt import ClickPrompt, encode_prompt
from helpers.prediction.clicks.click_refiner import ClickRefiner, OpenedFrame, encode_pixels
from tests.support.golden_clicks import GoldenClicks, golden_sam2

pytestmark = pytest.mark.golden

THREE = (
    "a_border", "a_outside", "a_box_full", "b_point1", "b_points_2p2n", "b_mask_only", "b_mask_large", "c_box",
    "c_box_neg", "c_two_boxes", "c_two_boxes_masks", "c_subpixel", "c_refine_r1", "c_refine_r2", "c_refine_r3",
    "c_binary_mask",
)  # fmt: skip
SINGLE = ("b_refine_r1", "b_refine_r2", "b_refine_r3")  # each goes on from the single mask before
LOGITS = 1e-4


class Recorded:
    """The recorded cases of the entry `sa2va` and the kit's answers to them, each computed once."""

    def __init__(self, shared):
        self.golden = GoldenClicks.open(shared)
        self.refiner = ClickRefiner(golden_sam2(shared))
        self.frame, self.answers = cache(self._frame), cache(self._answers)

    def facts(self, case):
        return self.golden.facts["cases"][case]

    def _frame(self, name):
        return self.refiner.open(self.golden.image(name))

    def mask_prompts(self, case):
        """The mask prompt of each object, float32 (256, 256) or None."""
        source, arrays = self.facts(case)["mask_source"], self.golden.arrays(case)
        if source is None:
            return [None] * self.facts(case)["mask_shape"][0]
        if source.startswith("binary"):
            return list(np.unpackbits(arrays["binary_mask_256"]).reshape(-1, 256, 256).astype(np.float32) * 20 - 10)
        before = source.removeprefix("4*")
        several = self.facts(before)["next_round_reads"] == "multi_best"
        answer = self.answers(before, several)[0]
        return [answer.low_resolution[answer.best] * (1 if before == source else 4)]

    def prompts(self, case):
        """The prompt of each object."""
        facts = self.facts(case)
        boxes = np.reshape(facts["box"], (-1, 4)).tolist() if facts["box"] else [None]
        return [
            ClickPrompt(facts["points"] or (), facts["labels"] or (), box, logits=mask)
            for box, mask in zip(boxes, self.mask_prompts(case), strict=True)
        ]

    def _answers(self, case, several):
        frame = self.frame(self.facts(case)["image"])
        return [self.refiner.refine(frame, prompt, several=several) for prompt in self.prompts(case)]


@pytest.fixture(scope="module")
def recorded(shared):
    return Recorded(shared)


def compare(recorded, case, several):
    """The answers to a case against its recorded tokens."""
    arrays, strides = recorded.golden.arrays(case), recorded.golden.facts["strides"]["sa2va"]
    masks, facts = recorded.golden.masks(case, "sa2va", arrays), recorded.facts(case)["entries"]["sa2va"]
    for number, answer in enumerate(recorded.answers(case, several)):
        tokens = [1, 2, 3] if several else [facts["single_token"][number]]
        for mine, theirs in (
            (answer.logits[:, :: strides["final"], :: strides["final"]], arrays["sa2va.final_sub"]),
            (answer.low_resolution[:, :: strides["low"], :: strides["low"]], arrays["sa2va.low_res_sub"]),
            (answer.predicted_iou, arrays["sa2va.iou"]),
        ):
            np.testing.assert_allclose(mine, theirs[number, tokens], rtol=0, atol=LOGITS)
        np.testing.assert_allclose(answer.object_score, arrays["sa2va.object_score"][number, 0], rtol=0, atol=LOGITS)
        differing = (answer.logits > 0) != masks[number, tokens]
        assert not (np.abs(answer.logits)[differing] > LOGITS).any()
        if several:
            assert answer.best + 1 == facts["best_multimask_token"][number]


def test_every_recorded_case_is_compared(recorded):
    assert {*THREE, *SINGLE} == set(recorded.golden.facts["cases"])


@pytest.mark.parametrize("case", THREE)
def test_the_three_masks_are_the_recorded_ones(recorded, case):
    compare(recorded, case, several=True)


@pytest.mark.parametrize("case", SINGLE)
def test_the_single_mask_is_the_recorded_one(recorded, case):
    compare(recorded, case, several=False)


@pytest.mark.parametrize("case", [*THREE, *SINGLE])
def test_the_prompts_reach_the_decoder_as_recorded(recorded, case):
    arrays, frame = recorded.golden.arrays(case), recorded.frame(recorded.facts(case)["image"])
    for number, prompt in enumerate(recorded.prompts(case)):
        sparse, dense = encode_prompt(recorded.refiner._part.sam2, prompt, frame.height, frame.width)
        theirs = arrays["sa2va.dense_sub"][number if len(arrays["sa2va.dense_sub"]) > 1 else 0]
        stride = 16 if theirs.shape[-1] > 1 else 64
        np.testing.assert_allclose(sparse[0, 0], arrays["sa2va.sparse"][number], rtol=0, atol=1e-5)
        np.testing.assert_allclose(dense[0, :, ::stride, ::stride], theirs, rtol=0, atol=LOGITS)
        if prompt.logits is not None:
            theirs = arrays["sa2va.mask_input_sub"].reshape(-1, 16, 16)[number]
            np.testing.assert_allclose(prompt.logits[::16, ::16], theirs, rtol=0, atol=4 * LOGITS)


def test_an_unstable_single_mask_gives_way_to_the_best_of_three(recorded, monkeypatch):
    facts = recorded.facts("b_point1")["entries"]["sa2va"]["fallback_with_delta_2"]
    decoder = recorded.refiner._part.sam2.mask_decoder
    monkeypatch.setattr(decoder, "dynamic_multimask_stability_delta", facts["delta"])
    single = recorded.refiner.refine(recorded.frame("b"), recorded.prompts("b_point1")[0], several=False)
    several = recorded.answers("b_point1", True)[0]
    np.testing.assert_allclose(single.logits[0], several.logits[facts["token"] - 1], rtol=0, atol=LOGITS)
    assert facts["token"] > 0 and not np.allclose(single.logits[0], several.logits[facts["token"] % 3], atol=1)


def test_the_object_score_blanks_no_mask(recorded):
    answer = recorded.answers("b_point1", True)[0]
    assert answer.object_score < 0 and answer.mask.any()


def test_pixels_of_the_image_predictor_give_its_masks(recorded):
    """SAM 2.0's own transforms in place of Sa2VA's: the prompts do not depend on how a frame was made small."""
    image = recorded.golden.image("c")
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    pixels = interpolate(pixels, size=(1024, 1024), mode="bilinear", align_corners=False, antialias=True)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        frame = OpenedFrame(image.height, image.width, encode_pixels(recorded.refiner._part, (pixels - mean) / std))
    stride = recorded.golden.facts["strides"]["predictor"]["final"]
    answer = recorded.refiner.refine(frame, recorded.prompts("c_box_neg")[0], several=True)
    theirs = recorded.golden.arrays("c_box_neg")["predictor.final_sub"][0, 1:]
    np.testing.assert_allclose(answer.logits[:, ::stride, ::stride], theirs, rtol=0, atol=LOGITS)
