"""The pictures of a run beside the ground truth of its data set."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.notebook.case_pictures import gallery, panel_cases, write_panels
from helpers.runs.run_folder import open_run
from tests.support.small_run import mask_of, write_data, write_run


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return open_run(write_run(tmp_path_factory.mktemp("gallery") / "run"))


def test_truth_and_prediction_meet_in_the_picture(run, data):
    first, second = panel_cases(run, data.cases, "p2")
    assert (first.case_id, first.status) == ("a", "ok") and (second.case_id, second.status) == ("b", "no_seg")
    assert np.array_equal(first.truth.mask, mask_of(range(4)))
    assert np.array_equal(first.prediction.mask, mask_of(range(2, 6))) and second.prediction is None


def test_a_truth_that_does_not_fit_leaves_its_panel_empty(run, data):
    Image.new("1", (3, 3), 1).save(data.root / "masks" / "a.png")
    first, second = panel_cases(run, open_dataset(data.root).cases, "p1")
    assert first.truth is None and first.prediction is not None and second.truth is not None


def test_pictures_of_all_prompts(run, data, tmp_path):
    written = write_panels(run, data.cases, tmp_path / "panels")
    names = [path.relative_to(tmp_path / "panels").as_posix() for path in written]
    assert names == ["a/p1.png", "b/p1.png", "a/p2.png", "b/p2.png"]
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in write_panels(run, data.cases, tmp_path / "panels")] == before
    assert len(set(before)) == 4


def test_the_gallery_shows_the_first_readable_cases(run, data):
    assert [row.get_suptitle() for row in gallery(run, data.cases, count=3).subfigs] == [
        "a  |  ok  |  prediction IDENTICAL to ground truth: check its origin",
        "b  |  ok  |  prediction IDENTICAL to ground truth: check its origin",
    ]
    assert len(gallery(run, data.cases, count=1).subfigs) == 1


def test_a_run_without_readable_frames_says_so(run, data):
    cases = [dataclasses.replace(case, frame=dataclasses.replace(case.frame, path=data.root)) for case in data.cases]
    assert gallery(run, cases, count=3).texts[0].get_text() == "no frame of this run can be read"


def test_another_data_set_is_refused_before_anything_is_written(run, data, tmp_path):
    with pytest.raises(RefusedInput, match="found 2 cases and no c"):
        write_panels(run, data.cases[:2], tmp_path / "panels")
    assert not (tmp_path / "panels").exists()
