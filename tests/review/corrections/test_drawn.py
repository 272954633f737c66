"""A correction with its mask on one line."""

import base64
import json
import zlib

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.drawn import DrawnCorrection, read_drawn
from helpers.review.payload import packed
from helpers.review.verdicts import read_taken
from tests.review.corrections.test_record import correction
from tests.review.test_verdicts import record as verdict

MASK = np.arange(12).reshape(3, 4) % 3 == 0


def drawn_line(number=1, pixels=MASK, **change):
    """What the page's file holds of a correction, as an object."""
    values = json.loads(correction(number).to_line())
    del values["mask_sha256"]
    text = None if pixels is None else packed(pixels)
    return {**values, "schema": "vesselkit.drawn-correction", "mask": text, **change}


def test_a_line_is_a_record_and_its_mask():
    drawn = DrawnCorrection.from_json(drawn_line())
    assert np.array_equal(drawn.mask, MASK) and drawn.record == correction(1, mask_sha256=mask_digest(MASK))
    assert drawn.continues is None and drawn.knows(None) is True and drawn.knows(correction(2)) is None
    told = DrawnCorrection.from_json(drawn_line(continues=[correction(2).id]))
    assert told.knows(correction(2)) is True and told.knows(correction(3)) is False
    back = DrawnCorrection.from_json(drawn_line(pixels=None))
    assert back.mask is None and back.record.mask_sha256 is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "vesselkit.correction"},
        {"schema_version": 2},
        {"mask": 3},
        {"mask": "no base64!"},
        {"mask": base64.b64encode(b"no zlib").decode()},
        {"mask": base64.b64encode(zlib.compress(b"1")).decode()},
        {"mask": base64.b64encode(zlib.compress(bytes(10**6))).decode()},
        {"mask": packed(MASK)[:-8]},
        {"width": 10**9, "height": 10**9},
        {"tools": ["saw"]},
        {"continues": "x"},
        {"continues": [3]},
    ],
)
def test_what_is_none_is_refused(change):
    with pytest.raises(ValueError):
        DrawnCorrection.from_json(drawn_line(**change))


def test_a_file_holds_verdicts_and_corrections(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_text(verdict(1, "P1-F1").to_line() + json.dumps(drawn_line()) + '\n{"cut')
    assert len(read_taken(path)) == 1 and len(read_drawn(path)) == 1
    path.write_text(json.dumps(drawn_line()) + "\n" + json.dumps(drawn_line(2)) + "\n")
    assert read_taken(path) == () and len(read_drawn(path)) == 2
    path.write_text(json.dumps(drawn_line()) + "\n" + json.dumps(drawn_line(mask="")) + "\n")
    with pytest.raises(RefusedInput, match=r"line 2: .*nothing was imported"):
        read_drawn(path)
