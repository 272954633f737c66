"""Logits to mask, and the model's answer to a Prediction.

The callables stand for a model's answer in these tests alone, never for a result.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from helpers.errors import UsageProblem
from helpers.inference.prediction import mask_from_logits, predict_case, stored_grid, threshold_logit

IMAGE = Image.new("RGB", (3, 2))


def answering(text, *logits):
    return lambda image, prompt: {"prediction": text, "prediction_logits": [np.float32(found) for found in logits]}


def case(predict, **options):
    return predict_case(predict, IMAGE, case_id="case_0001", prompt="vessel", **options)


def plane(*inside):
    """Logits (1, 2, 3) that are 4 at the given flat positions and -4 elsewhere."""
    logits = np.full(6, -4.0)
    logits[list(inside)] = 4.0
    return logits.reshape(1, 2, 3)


def test_one_seg():
    found = case(answering("Sure, [SEG].", plane(0, 4)))
    assert found.status == "ok" and found.seg_count == 1 and found.message is None
    assert found.mask.dtype == np.bool_ and found.mask.tolist() == [[True, False, False], [False, True, False]]
    assert found.logits.dtype == np.float32 and found.logits.shape == (1, 2, 3)
    assert (found.width, found.height) == (3, 2) and found.seconds >= 0


def test_several_seg_are_joined():
    found = case(answering("[SEG] [SEG]", plane(0), plane(5)))
    assert found.status == "several_seg" and found.seg_count == 2
    assert found.mask.tolist() == [[True, False, False], [False, False, True]]


def test_no_seg_has_no_mask_at_all():
    found = case(answering("I see none."))
    assert found.status == "no_seg" and found.seg_count == 0
    assert found.mask is None and found.logits is None


@pytest.mark.parametrize(("inside", "status"), [((), "empty_mask"), ((0, 1, 2, 3), "full_mask")])
def test_implausible_masks_are_kept_and_named(inside, status):
    found = case(answering("[SEG]", plane(*inside)))
    assert found.status == status and found.mask.sum() == len(inside)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_give_no_mask(value):
    logits = plane(0)
    logits[0, 1, 2] = value
    found = case(answering("[SEG]", logits))
    assert found.status == "nan_logits" and found.mask is None and found.logits is None
    assert found.message == "1 of 6 logits are not finite"


def test_an_answer_without_its_end_word_was_cut():
    words = ("<|im_end|>",)
    assert case(answering("Sure [SEG] and", plane(0)), end_words=words).status == "truncated"
    assert case(answering("Sure [SEG].<|im_end|>\n", plane(0)), end_words=words).status == "ok"


def test_logits_of_another_size_are_an_error():
    with pytest.raises(ValueError, match=r"\[SEG\] 1: expected shape \(1, 2, 3\)"):
        case(answering("[SEG]", np.zeros((1, 3, 2))))


def test_the_mask_comes_from_the_stored_float16_logits():
    tiny = np.full((1, 2, 3), 1e-9)  # above 0, but 0 in float16
    found = case(answering("[SEG]", tiny))
    assert found.status == "empty_mask"
    assert np.array_equal(found.mask, mask_from_logits(stored_grid(found.logits), 0.5))


def test_huge_logits_do_not_become_infinite():
    assert stored_grid(np.float32([[[1e9, -1e9]]])).tolist() == [[[65504.0, -65504.0]]]


def test_thresholds():
    assert threshold_logit(0.5) == 0.0
    assert threshold_logit(0.75) == pytest.approx(np.log(3))
    logits = plane(0) / 4  # +1 and -1: probabilities 0.73 and 0.27
    assert mask_from_logits(logits, 0.7).sum() == 1
    assert mask_from_logits(logits, 0.75).sum() == 0
    assert mask_from_logits(logits, 0.25).sum() == 6
    for bad in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(UsageProblem, match="threshold"):
            threshold_logit(bad)


@given(
    hnp.arrays(np.float16, (2, 2, 3), elements=st.floats(-20, 20, width=16)),
    st.floats(0.01, 0.98),
    st.floats(0.001, 0.01),
)
def test_a_higher_threshold_never_adds_pixels(logits, threshold, step):
    assert not (mask_from_logits(logits, threshold + step) & ~mask_from_logits(logits, threshold)).any()
