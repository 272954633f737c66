"""Logits held against recorded ones."""

import numpy as np

from helpers.dev.demo.demo_gate import LOGIT_TOLERANCE, compare_logits, read_logits, write_logits


def logits(value):
    return {"a": np.full((1, 2, 2), value, np.float16), "b": np.zeros((0, 1, 1), np.float16)}


def test_recorded_logits_are_read_as_written(tmp_path):
    write_logits(tmp_path / "l.npz", logits(1.5))
    found = read_logits(tmp_path / "l.npz")
    assert {name: one.tolist() for name, one in found.items()} == {"a": [[[1.5, 1.5], [1.5, 1.5]]], "b": []}


def test_small_differences_pass_and_large_ones_name_the_case():
    assert compare_logits(logits(1), logits(1 + LOGIT_TOLERANCE / 2)).passed
    found = compare_logits(logits(1), logits(1 + 2 * LOGIT_TOLERANCE))
    assert found.problems == ("a: logits differ by 0.2, more than 0.1",)
    assert compare_logits(logits(1), logits(np.nan)).problems[0].startswith("a: logits differ by nan")


def test_missing_cases_and_other_shapes_fail():
    assert compare_logits(logits(1), {"b": logits(1)["b"]}).problems == (
        "a: expected logits of shape (1, 2, 2), got none",
    )
    refused = {"a": np.zeros((0, 1, 1), np.float16), "b": logits(1)["b"]}
    assert compare_logits(logits(1), refused).problems == ("a: expected logits of shape (1, 2, 2), got (0, 1, 1)",)
