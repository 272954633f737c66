"""Two answers about one frame made one."""

import numpy as np

from helpers.prediction.predictor import FramePrediction
from helpers.prediction.sequences.sequence_answers import fused
from helpers.runs.stored_maps import Upsampling


def answer(text, *maps, iou=None):
    logits = np.array([np.full((2, 2), value) for value in maps], np.float32).reshape(-1, 2, 2)
    score = np.array(maps, np.float32)
    iou = None if iou is None else np.array(iou, np.float32)
    return FramePrediction(text, False, logits, Upsampling.SAM2_TWO_STEP, 8, iou, score, 3, 1)


def test_the_mean_of_united_maps_under_the_words_of_the_frame():
    found = fused(answer("alone", 1, 5, iou=[0.2, 0.8]), answer("followed", -3, iou=[0.4]))
    assert found.text == "alone" and found.logits.shape == (1, 2, 2) and found.logits.dtype == np.float32
    assert (found.logits == 1).all()
    assert found.predicted_iou.tolist() == [np.float32(0.6)] and found.object_score.tolist() == [1]


def test_one_without_a_map_leaves_the_others():
    none = answer("none")
    assert (fused(none, answer("followed", 2)).logits == 2).all() and fused(none, answer("x", 2)).text == "none"
    assert (fused(answer("alone", 4), none).logits == 4).all()
    assert len(fused(none, none).logits) == 0


def test_unknown_estimates_stay_unknown():
    assert fused(answer("a", 1, iou=[0.5]), answer("b", 1)).predicted_iou is None
