"""Tables, numbers and text of scored expressions, of a data set whose scores can be worked out by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers.data.dataset import open_dataset
from helpers.evaluation.refcoco.expression_scoring import results, write
from tests.support.expressions import scored as run
from tests.support.expressions import write_refcoco


@pytest.fixture
def scored(tmp_path):
    run(open_dataset(write_refcoco(tmp_path / "data")), tmp_path / "out")
    return pd.read_parquet(tmp_path / "out/expressions.parquet")


def test_the_columns_of_the_table(scored):
    told = ["expression_id", "case_id", "split", "expression", "status", "answer", "message", "rle"]
    assert list(scored.columns)[: len(told)] == told and scored["training"].unique().tolist() == ["unknown"]
    assert scored["expression"].tolist() == ["left", "The Left.", "both", "nothing"]
    assert scored["split"].tolist() == ["val", "val", "val", "test"]
    assert scored["case_id"].tolist() == ["a", "a", "a", "b"]
    assert scored["answer"].tolist() == ["It is [SEG]."] * 4 and scored["message"].isna().all()
    assert scored["rle"].isna().tolist() == [False, False, False, True]


def test_the_whole_text(scored, tmp_path):
    context = {"prompt": "Where is *{expression}*?"}
    text = write(tmp_path, scored, context, {"entries without a text": 3}, ["some *doubt*"])
    assert text.splitlines() == [
        "# Referring segmentation: training list unknown",
        "",
        "4 expressions of 2 images; 1 without a mask, scored as empty.",
        "3 entries without a text left out.",
        "",
        r"**warning:** some \*doubt\*",
        "",
        "| metric | value | 95 % interval (Student's t, logit scale) | units |",
        "| --- | --- | --- | --- |",
        "| cIoU | 0.400 | none | 2 images, fewer than 10, not known to be independent |",
        "| gIoU | 0.500 | none | 2 images, fewer than 10, not known to be independent |",
        "",
        r"Prompt: Where is \*\{expression\}\*?",
    ]
    assert (tmp_path / "summary.md").read_text() == text
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "expressions.parquet"), scored)
    summary = json.loads((tmp_path / "summary.json").read_text())
    expected = {"schema": "vesselkit.refseg.summary", "schema_version": 1, "config": context, "expressions": 4,
                "images": 2, "failed": 1, "warnings": ["some *doubt*"], "left_out": {"entries without a text": 3},
                "statuses": {"ok": 2, "empty_mask": 1, "no_seg": 1}}  # fmt: skip
    assert {name: summary[name] for name in expected} == expected
    assert summary["results"] == results(scored)


@pytest.mark.parametrize(
    ("column", "values", "unit", "units", "independent"),
    [
        ("patient", ["P1", "P1", "P1", "P2"], "patient", 2, True),
        ("sequence", ["S1", "S1", "S1", "S1"], "sequence", 1, False),
        ("sequence", ["S1", "S1", "S1", None], "sequence", 2, False),  # the frame of unknown sequence is one of its own
        ("sequence", [None, None, None, None], "image", 2, False),
    ],
)
def test_what_is_drawn(scored, column, values, unit, units, independent):
    for row in results(scored.assign(**{column: np.array(values, object)})):
        assert (row["unit"], row["n_units"], row["independent"]) == (unit, units, independent)
        assert row["low"] is None and row["few"] is True  # fewer than five


def test_without_a_pixel_of_truth_or_mask_the_pooled_number_is_not_there(scored, tmp_path):
    empty = scored.assign(tp=0, fp=0, fn=0, iou=np.nan)
    text = write(tmp_path, empty, {"prompt": "a"}, {})
    assert "| cIoU | n/a | none | " in text and "warning" not in text
