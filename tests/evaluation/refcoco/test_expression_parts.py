"""What was predicted on an image is taken only where it is what was written, of this image and these expressions."""

import json

import pandas as pd
import pytest
from PIL import Image

from helpers.data.dataset import open_dataset
from helpers.data.truth.rle import encode
from helpers.evaluation.refcoco.expression_parts import part_path, read_part
from helpers.runs.durable import json_bytes
from tests.evaluation.refcoco.test_refcoco_run import read, run
from tests.support.annotation_files import OTHER, SQUARE
from tests.support.expressions import WordPredictor, write_sa2va

ENTRIES = [
    {"image": "a.png", "mask": [[SQUARE], [OTHER]], "text": ["left", "right"]},
    {"image": "b.png", "mask": [[SQUARE], [OTHER]], "text": ["nothing", "the left"]},
]


@pytest.fixture
def made(tmp_path):
    dataset = open_dataset(write_sa2va(tmp_path / "data", ENTRIES))
    run(dataset, tmp_path / "out")
    return dataset, tmp_path / "out"


def again(dataset, output):
    """The scores of the same call, and how many images it predicted."""
    predictor = WordPredictor()
    before = pd.read_parquet(output / "expressions.parquet")
    run(dataset, output, predictor)
    pd.testing.assert_frame_equal(pd.read_parquet(output / "expressions.parquet"), before)
    return len(predictor.asked)


def edited(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_bytes(json_bytes(values))


def painted(values):
    height, width = values["expressions"][0]["rle"]["size"]
    values["expressions"][0]["rle"] = encode(pd.DataFrame(0, range(height), range(width)).to_numpy() == 0)


def test_a_call_that_finds_all_in_order_predicts_nothing_and_says_nothing(made, caplog):
    assert again(*made) == 0 and not caplog.records


def test_parts_of_two_images_that_were_swapped_are_made_again(made, caplog):
    first, second = (part_path(made[1], case_id) for case_id in "ab")
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert again(*made) == 2 and "2 cases are computed again (their files in the run are damaged" in caplog.text


@pytest.mark.parametrize("change", [painted, lambda values: values["expressions"].reverse()])
def test_a_part_that_was_changed_is_made_again(made, change):
    edited(part_path(made[1], "a"), change)
    assert again(*made) == 1


def test_another_image_under_the_same_name_is_predicted_again_and_one_saved_anew_is_not(made, caplog):
    frames = {case.case_id: case.frame for case in made[0].cases}
    for case_id, level in (("a", 1), ("b", 9)):
        image = Image.open(frames[case_id].path)
        image.load()
        if case_id == "b":
            image.putpixel((0, 0), 77)
        image.save(frames[case_id].path, compress_level=level)
    assert again(*made) == 1
    assert "1 cases are computed again (their image file changed since it was predicted" in caplog.text


def test_parts_of_an_earlier_version_are_taken_and_said_to_be_unchecked(made):
    dataset, output = made

    def as_before(values):
        for name in set(values) - {"config_sha256", "expressions"}:
            del values[name]

    for case_id in "ab":
        edited(part_path(output, case_id), as_before)
    assert again(*made) == 0
    (warning,) = read(output)[1]["warnings"]
    assert warning.startswith("predictions of 2 of 2 images keep no digest")
    assert f"**warning:** {warning}" in (output / "summary.md").read_text()
    first, second = (part_path(output, case_id) for case_id in "ab")
    first.write_bytes(second.read_bytes())
    assert read_part(first, json.loads(first.read_text())["config_sha256"], ["a-E01", "a-E02"]) is None
