"""What a run stores of an answer, worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_masks

from helpers.core.vocabulary import Combine
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import pixel_sha256
from helpers.prediction.engine.case_result import (
    Failure,
    FrameFacts,
    Thresholding,
    answered,
    failed,
    frame_facts,
    nameless,
)
from helpers.prediction.predictor import FramePrediction
from helpers.runs.status import PredictionStatus
from helpers.runs.stored_maps import Upsampling

FRAME = Frame("c1", Path("Doe_Jane.png"), None, "P1", "P1-S1", 7, "test", 10)
FACTS = FrameFacts(3, 2, "ab" * 32)
LEFT, RIGHT = [[5.0, -5, -5], [5, -5, -5]], [[-5.0, -5, 0.5], [-5, -5, -5]]
UNION = Thresholding(0.5, Combine.UNION)


def answer(*maps, **changes):
    count = len(maps)
    given = FramePrediction(
        text="[SEG]" * count,
        truncated=False,
        logits=np.array(maps, np.float32).reshape(count, 2, 3),
        upsampling=Upsampling.NONE,
        predicted_iou=np.linspace(0.2, 0.8, count),
        object_score=np.ones(count),
        token_count=4,
        tiles=1,
    )
    return replace(given, **changes)


def result(given, thresholding=UNION):
    return answered(FRAME, FACTS, {"p1": given}, thresholding, {"batch_size": 1})


def test_one_map_is_one_row_with_its_mask():
    found = result(answer(LEFT))
    (row,) = found.rows
    assert (row.case_id, row.frame, row.prompt_id, row.seg_index) == ("c1", 7, "p1", 0)
    assert (row.patient, row.sequence, row.split) == ("P1", "P1-S1", "test")
    assert (row.status, row.seg_count, row.mask_pixels, row.mask_fraction) == (PredictionStatus.OK, 1, 2, 0.333333)
    assert (row.width, row.height, row.image_sha256) == (3, 2, "ab" * 32)
    assert found.masks["p1"].tolist() == [[True, False, False]] * 2
    assert found.logits["p1"].logits.dtype == np.float16 and found.timing == {"batch_size": 1}


def test_each_map_has_its_own_row_and_run_lengths():
    found = result(answer(LEFT, RIGHT))
    assert [row.seg_index for row in found.rows] == [0, 1]
    assert {row.status for row in found.rows} == {PredictionStatus.SEVERAL_SEG}
    assert [row.mask_pixels for row in found.rows] == [3, 3]
    assert [round(row.predicted_iou, 3) for row in found.rows] == [0.2, 0.8]
    sums = [coco_masks.decode({"size": [2, 3], "counts": row.rle.encode()}).sum() for row in found.rows]
    assert sums == [2, 1]


@pytest.mark.parametrize("combine, pixels", [(Combine.UNION, 3), (Combine.FIRST, 2), (Combine.BEST, 1)])
def test_several_maps_combine_as_asked(combine, pixels):
    found = result(answer(LEFT, RIGHT), Thresholding(0.5, combine))
    assert found.masks["p1"].sum() == pixels == found.rows[0].mask_pixels


def test_the_threshold_moves_the_mask():
    assert result(answer(RIGHT), Thresholding(0.6, Combine.UNION)).masks["p1"].sum() == 1
    assert result(answer(RIGHT), Thresholding(0.7, Combine.UNION)).rows[0].status is PredictionStatus.EMPTY_MASK


def test_no_seg_is_one_row_without_mask():
    found = result(answer(text="no vessels"))
    (row,) = found.rows
    assert (row.seg_index, row.status, row.seg_count) == (None, PredictionStatus.NO_SEG, 0)
    assert row.mask_pixels is None and row.rle is None and not found.masks and not found.logits


def test_logits_that_are_not_finite_leave_no_mask():
    found = result(answer([[np.nan, np.inf, 1], [1, 1, 1]]))
    (row,) = found.rows
    assert row.status is PredictionStatus.NAN_LOGITS and row.message == "2 of 6 logits are not finite"
    assert row.mask_pixels is None and not found.masks and not found.logits


@pytest.mark.parametrize(
    ("dtype", "said"),
    [("float16", "2 of 6 logits are not finite in float16; predict with --dtype bfloat16"),
     ("float32", "2 of 6 logits are not finite in float32")],
)  # fmt: skip
def test_logits_that_are_not_finite_name_the_dtype_in_which_they_were_drawn(dtype, said):
    (row,) = result(answer([[np.nan, np.inf, 1], [1, 1, 1]], dtype=dtype)).rows
    assert row.status is PredictionStatus.NAN_LOGITS and row.message == said


def test_an_answer_that_was_cut_keeps_its_mask():
    found = result(answer(LEFT, truncated=True))
    assert found.rows[0].status is PredictionStatus.TRUNCATED and found.masks["p1"].sum() == 2


def test_scores_that_are_unknown_or_not_finite_are_null():
    row = result(answer(LEFT, predicted_iou=None, object_score=np.array([np.nan]))).rows[0]
    assert row.predicted_iou is None and row.object_score is None


def test_maps_of_another_shape_are_refused():
    with pytest.raises(ValueError):
        answered(FRAME, FrameFacts(4, 2, "ab"), {"p1": answer(LEFT)}, UNION, {})


def test_a_failure_has_a_row_for_each_prompt():
    found = failed(FRAME, None, Failure(PredictionStatus.READ_ERROR, "cut short"), ("p1", "p2"), {})
    assert [(row.prompt_id, row.status, row.message) for row in found.rows] == [
        ("p1", PredictionStatus.READ_ERROR, "cut short"),
        ("p2", PredictionStatus.READ_ERROR, "cut short"),
    ]
    assert found.rows[0].width is None and not found.masks


@pytest.mark.parametrize(
    "message",
    [
        "cannot open /data/Doe_Jane/Doe_Jane.png",
        r"cannot open C:\data\Doe_Jane.png",
        "cannot open Doe_Jane.png",
        "cannot open '../Doe_Jane/x'",
        "file=/data/Doe_Jane",
        "bad\n/data/Doe_Jane\nend",
    ],
)
def test_messages_lose_paths_and_names(message):
    found = nameless(message, FRAME)
    assert "Doe" not in found and "..." in found and "\n" not in found


@given(st.text())
def test_messages_are_one_short_line(message):
    assert len(nameless(message, FRAME)) <= 300 and "\n" not in nameless(message, FRAME)


def test_the_hash_of_a_frame_is_that_of_its_pixels_and_size():
    image = Image.new("RGB", (2, 3))
    assert pixel_sha256(image) == frame_facts(image).image_sha256
    assert len({pixel_sha256(Image.new("RGB", size, colour)) for size in ((2, 3), (3, 2)) for colour in (0, 1)}) == 4
