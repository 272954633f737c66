"""The line of an evaluation on how its model stands to the official code."""

import pytest

from helpers.evaluation.official_check import official_check_lines

CHECK = {
    "outcome": "same",
    "receipt": {"created": "2026-11-30T02:00:00+00:00"},
    "tensors": {"cause": None},
    "frames": 3,
    "seam": None,
    "seg_difference": 2e-6,
    "mask_pixels": [0, 786432],
}
MODEL = {"folder_name": "my-model", "tensors_sha256": "ab"}


def lines(check=None, model=MODEL, **more):
    return official_check_lines({"runs": [{"name": "ours", "model": model, "official_check": check, **more}]})


def test_the_same_model():
    assert lines(CHECK) == [
        "ours: checked against official code: yes (receipt of 2026-11-30, 3 frames, largest difference at [SEG] 2e-06, "
        "0 of 786432 mask pixels differ)."
    ]
    assert "difference at [SEG] 2e-06)." in lines({**CHECK, "mask_pixels": None})[0]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"outcome": "incomplete", "frames": 1}, "in part (receipt of 2026-11-30, 1 frame; the tensors are equal"),
        (
            {"outcome": "other_tensors", "tensors": {"cause": "unmerged"}},
            "NO, it is another model (receipt of 2026-11-30, 3 frames; its tensors differ: unmerged)",
        ),
        ({"outcome": "other_calls", "seam": "seg"}, "its tensors are equal, and its calls part: seg)"),
    ],
)
def test_another_model(changes, said):
    assert said in lines(CHECK | changes)[0]


def test_a_model_that_was_not_checked():
    assert lines() == ["ours: checked against official code: not checked."]


def test_what_is_no_model_folder_has_no_line():
    assert lines(model={"kind": "vesselness"}) == lines(model=None) == []
    older = {"runs": [{"name": "ours", "model": MODEL}]}
    assert official_check_lines(older) == []
