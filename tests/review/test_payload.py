"""What the browser gets of a case."""

import base64
import io
import json
import zlib
from dataclasses import replace
from unittest.mock import PropertyMock, patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.frames.frame_source import pixel_sha256, read_frame
from helpers.review.figures.panels import GroundTruth
from helpers.review.payload import packed
from helpers.review.review_source import open_source
from helpers.runs.run_folder import Run
from tests.support.review_runs import BROKEN, FAILED, GRIDDED, HEIGHT, NO_TRUTH, SEVERAL, WIDTH, write_data, write_run


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("payload")
    return open_source(write_run(folder / "run"), write_data(folder / "data"))


def unpacked(text, height, width):
    """The mask of `packed`, bool (height, width)."""
    bits = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)


@given(st.integers(1, 17), st.integers(1, 17), st.integers(0, 99))
def test_packed_masks_come_back(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) > 0.5
    assert np.array_equal(unpacked(packed(mask), height, width), mask)


def test_a_case_is_complete(source):
    payload = json.loads(json.dumps(source.view(GRIDDED).to_json()))
    case = next(case for case in source.dataset.cases if case.case_id == GRIDDED)
    image = Image.open(io.BytesIO(base64.b64decode(payload["image"].split(",")[1])))
    grey = np.asarray(read_frame(case.frame.path, None).convert("L"))
    assert image.mode == "L" and np.array_equal(np.asarray(image), grey)
    truth = unpacked(payload["truth"], HEIGHT, WIDTH)
    assert np.array_equal(truth, case.truth.mask(WIDTH, HEIGHT))
    assert (unpacked(payload["centreline"], HEIGHT, WIDTH) <= truth).all()
    (prediction,) = payload["predictions"]
    assert np.array_equal(unpacked(prediction["mask"], HEIGHT, WIDTH), source.scored_runs[0].run.mask(GRIDDED, "p1"))
    assert len(source.view(SEVERAL).to_json()["predictions"][0]["maps"]["codes"]) == 2


def test_pixels_that_the_truth_does_not_score_are_told(source):
    view = source.view(GRIDDED)
    assert view.to_json()["ignored"] is None and source.view(NO_TRUTH).to_json()["ignored"] is None
    ignored = np.zeros((HEIGHT, WIDTH), bool)
    partly = replace(view, truth=GroundTruth(view.truth.mask, ignored))
    assert partly.to_json()["ignored"] is None
    ignored[:, :10] = True
    assert np.array_equal(unpacked(partly.to_json()["ignored"], HEIGHT, WIDTH), ignored)


def test_what_is_not_there_is_said_and_nothing_stands_in_for_it(source):
    failed = source.view(FAILED).to_json()["predictions"][0]
    assert (failed["status"], failed["mask"], failed["maps"]) == ("no_seg", None, None)
    no_truth = source.view(NO_TRUTH).to_json()
    assert no_truth["truth"] is None and no_truth["truth_note"] == "no ground truth" and no_truth["centreline"] is None
    broken = source.view(BROKEN).to_json()
    assert broken["image"] is None and broken["predictions"][0]["status"] == "read_error"
    assert broken["truth_note"] == "not shown: its frame cannot be read"


def test_a_frame_that_changed_its_size_is_refused(tmp_path):
    source = open_source(write_run(tmp_path / "run"), write_data(tmp_path / "data"))
    Image.new("L", (WIDTH + 1, HEIGHT)).save(tmp_path / "data/images" / f"{GRIDDED}.png")
    with pytest.raises(RefusedInput, match="changed since the run"):
        source.view(GRIDDED)


def test_a_frame_of_other_pixels_is_refused(tmp_path):
    source = open_source(write_run(tmp_path / "run"), write_data(tmp_path / "data"))
    path = tmp_path / "data/images" / f"{GRIDDED}.png"
    hashes = {GRIDDED: pixel_sha256(read_frame(path, None))}
    with patch.object(Run, "image_hashes", new_callable=PropertyMock, return_value=hashes):
        assert source.view(GRIDDED).image is not None
        Image.new("L", (WIDTH, HEIGHT)).save(path)
        with pytest.raises(RefusedInput, match="expected the frame that was predicted"):
            source.view(GRIDDED)


def test_the_data_set_must_be_that_of_the_run(tmp_path):
    run, data = write_run(tmp_path / "run"), write_data(tmp_path / "data")
    (tmp_path / "data/images" / f"{FAILED}.png").rename(tmp_path / "data/images/other.png")
    data = type(data)(data.root, data.layout, data.cases[1:], data.ids, data.key_fingerprint)
    with pytest.raises(RefusedInput, match=f"without 1 of its cases, the first {GRIDDED}"):
        open_source(run, data)
