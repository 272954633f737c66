"""One correction as a line."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.vocabulary import BeganFrom
from helpers.review.corrections.record import Base, CorrectionRecord, CorrectionTool, standing

DIGEST, OTHER = "ab" * 32, "cd" * 32
PREDICTED = Base(BeganFrom.PREDICTION, DIGEST, "run", "config", "p1", "said", "weights")
CARRIED = Base(BeganFrom.CARRIED, DIGEST, weights="weights", carried_from=("1" * 32, "2" * 32))
BASES = (PREDICTED, Base(BeganFrom.TRUTH, DIGEST), Base(BeganFrom.EMPTY), replace(PREDICTED, weights=None), CARRIED)


def correction(number=1, case_id="P1-F1", reviewer="ann", **more):
    """A record of the minute `number`."""
    time = f"2026-05-01T12:{number:02d}:00.000Z"
    values = {"image_sha256": DIGEST, "width": 4, "height": 3, "base": PREDICTED, "mask_sha256": OTHER}
    return CorrectionRecord(f"{number:032x}", time, reviewer, case_id, **(values | more))


@given(
    base=st.sampled_from(BASES),
    seconds=st.none() | st.floats(0, 1e6),
    tools=st.lists(st.sampled_from(CorrectionTool), unique=True),
    seen=st.none() | st.booleans(),
    mask=st.sampled_from([None, OTHER]),
    clicks=st.sampled_from([(), ("weights", "others")]),
    further=st.sampled_from([(), ("config", "other")]),
)
def test_a_line_comes_back(base, seconds, tools, seen, mask, clicks, further):
    record = correction(
        base=base, seconds=seconds, tools=tuple(tools), truth_seen=seen, mask_sha256=mask, click_weights=clicks,
        further_configs=further, further_weights=further[1:],
    )  # fmt: skip
    line = record.to_line()
    assert line.endswith("}\n") and line.count("\n") == 1
    assert CorrectionRecord.from_json(json.loads(line)) == record


def test_the_fields_are_those_of_the_format():
    value = json.loads(correction(seconds=3.5, tools=(CorrectionTool.BRUSH,), truth_seen=False).to_line())
    assert value == {
        "schema": "vesselkit.correction", "schema_version": 1, "id": f"{1:032x}", "time": "2026-05-01T12:01:00.000Z",
        "reviewer": "ann", "case_id": "P1-F1", "image_sha256": DIGEST, "width": 4, "height": 3, "mask_sha256": OTHER,
        "seconds": 3.5, "tools": ["brush"], "truth_seen": False,
        "base": {
            "began_from": "prediction", "mask_sha256": DIGEST, "run": "run", "config": "config", "prompt": "p1",
            "prediction": "said", "weights": "weights",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "vesselkit.verdict"}, "schema vesselkit.correction"),
        ({"schema_version": 2}, "version 1, got 2"),
        ({"time": "2026-05-01"}, "a moment with its zone"),
        ({"case_id": ""}, "case_id"),
        ({"image_sha256": None}, "image_sha256"),
        ({"mask_sha256": "ABC"}, "expected a SHA-256"),
        ({"width": 4.0}, "whole pixels"),
        ({"height": 0}, "in pixels"),
        ({"seconds": -1}, "a number from 0"),
        ({"seconds": True}, "number of seconds"),
        ({"truth_seen": 1}, "truth_seen"),
        ({"tools": ["magic"]}, "magic"),
        ({"base": None}, "an object as base"),
        ({"base": {"began_from": "nothing"}}, "nothing"),
        ({"base": {"began_from": "prediction", "mask_sha256": DIGEST}}, "run, config, prompt"),
        ({"base": {"began_from": "truth"}}, "mask_sha256 unless"),
        ({"base": {"began_from": "empty", "mask_sha256": DIGEST}}, "mask_sha256 unless"),
        ({"base": {"began_from": "truth", "mask_sha256": DIGEST, "run": "r"}}, "a run of predictions alone"),
        ({"base": {"began_from": "carried", "mask_sha256": DIGEST}}, "carried_from with ids"),
        ({"base": {"began_from": "empty", "carried_from": ["1"]}}, "carried_from with ids"),
        ({"base": {"began_from": "carried", "mask_sha256": DIGEST, "carried_from": "1"}}, "a list of texts"),
        ({"base": {"began_from": "carried", "mask_sha256": DIGEST, "carried_from": [1]}}, "a list of texts"),
        ({"click_weights": 7}, "click_weights"),
    ],
)
def test_anything_else_is_refused(change, words):
    value = json.loads(correction().to_line())
    with pytest.raises(ValueError, match=words):
        CorrectionRecord.from_json(value | change)


@given(order=st.permutations(range(6)))
def test_the_last_of_a_reader_stands_in_whatever_order_they_come(order):
    records = [
        correction(1), correction(2, mask_sha256=DIGEST), correction(3, "P2-F1"),
        correction(4, "P2-F1", mask_sha256=None),
        correction(5, reviewer="bob"), correction(6, "P3-F1", "bob", mask_sha256=None),
    ]  # fmt: skip
    assert standing(records[place] for place in order) == {
        "ann": {"P1-F1": records[1]},
        "bob": {"P1-F1": records[4]},
    }
