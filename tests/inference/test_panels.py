"""The pictures of a finished run: one for each readable frame, without names, and only for the run's own folder."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.errors import RefusedInput
from helpers.inference.folder import build_manifest, number_cases, predict_cases
from helpers.inference.panels import gallery, write_panels
from helpers.inference.tables import read_predictions, status_table, time_table

NAME = "DOE_JOHN"


def answer(image, prompt):
    grey = np.asarray(image)[None, ..., 0].astype(np.float32)
    return {"prediction": "NA", "prediction_logits": [grey - 100.0] if grey.max() > 0 else []}


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    values = np.zeros((8, 12), np.uint8)
    Image.fromarray(values).save(folder / f"{NAME}_2.png")
    values[2, 3:7] = 200
    Image.fromarray(values).save(folder / f"{NAME}_1.png")
    (folder / f"{NAME}_3.png").write_bytes(b"broken")
    return folder


@pytest.fixture
def run(images, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    rows = predict_cases(answer, number_cases(images), folder, prompt="vessel", threshold=0.5)
    (folder / "manifest.json").write_text(json.dumps(build_manifest({}, {}, rows)))
    return folder


def test_one_panel_for_each_readable_frame(run, images):
    written = write_panels(run, images)
    assert [path.relative_to(run).as_posix() for path in written] == ["panels/case_0001.png", "panels/case_0002.png"]
    before = [path.read_bytes() for path in written]
    assert before[0] != before[1] and not any(NAME.encode() in content for content in before)
    write_panels(run, images)
    assert [path.read_bytes() for path in written] == before


def test_the_gallery_shows_status_mask_and_an_empty_ground_truth(run, images):
    figure = gallery(run, images, count=3)
    first, second = figure.subfigs
    assert first.get_suptitle() == "case_0001  |  ok" and second.get_suptitle() == "case_0002  |  no_seg"
    frame, truth, prediction, _ = first.axes
    assert not truth.images and truth.texts[0].get_text() == "no ground truth"
    drawn, grey = prediction.images[0].get_array(), frame.images[0].get_array()
    assert (drawn != grey).any(axis=2).sum() == 4
    assert len(gallery(run, images, count=1).subfigs) == 1


def test_another_image_folder_is_refused_before_anything_is_written(run, images):
    (images / f"{NAME}_1.png").unlink()
    with pytest.raises(RefusedInput, match="found 2 images and no case_0003"):
        write_panels(run, images)
    assert not (run / "panels").exists()


def test_an_unfinished_run_is_refused(run, images):
    (run / "manifest.json").unlink()
    with pytest.raises(RefusedInput, match=r"manifest.json"):
        write_panels(run, images)


def test_frames_that_became_unreadable_are_left_out(run, images):
    for number in (1, 2):
        (images / f"{NAME}_{number}.png").write_bytes(b"broken")
    assert write_panels(run, images) == ()
    assert gallery(run, images, count=3).texts[0].get_text() == "no frame of this run can be read"


def test_tables_of_a_run(run):
    table = read_predictions(run)
    assert list(table["case_id"]) == ["case_0001", "case_0002", "case_0003"]
    assert table["seg_count"].tolist()[:2] == [1, 0] and table["seg_count"].isna().tolist() == [False, False, True]
    assert table.loc[0, "text"] == "NA", "an answer that reads 'NA' is no missing value"
    assert table.loc[2, "message"].startswith("not an image")
    found = status_table(run).set_index("status")
    assert found["images"].to_dict() == {"read_error": 1, "no_seg": 1, "ok": 1} and found["share"].eq(0.333).all()
    times = time_table(run).set_index("measure")["seconds"]
    assert times["slowest image"] <= times["all images"] and times.notna().all()
