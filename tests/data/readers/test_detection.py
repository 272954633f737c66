"""Finding out what a data set is."""

import numpy as np
import pytest

from helpers.data.readers.detection import LAYOUTS, read_records
from helpers.errors import RefusedInput, UsageProblem
from tests.data.readers.made_up import SQUARE, coco, frames, write
from tests.images import dicom_files
from tests.images.video_files import write_video


def test_plain_images_have_no_truth(tmp_path):
    frames(tmp_path, "a10.png", "a2.png", "test/b.png", ".hidden.png")
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("images", False)
    assert [(record.name, record.truth, record.split) for record in reading.records] == [
        ("a2.png", None, None),
        ("a10.png", None, None),
        ("test/b.png", None, "test"),
    ]


def test_two_layouts_that_fit_are_listed_and_one_is_chosen(tmp_path):
    frames(tmp_path, "images/a.png", "masks/a.png")
    write(tmp_path / "data.json", [{"image": "a.png", "mask": SQUARE}])
    with pytest.raises(RefusedInput, match=r"found sa2va and paired\. Choose with --layout"):
        read_records(tmp_path)
    assert read_records(tmp_path, "paired").layout == "paired"
    assert read_records(tmp_path, "sa2va").records[0].truth.mask(8, 6).sum() == 4


def test_the_kind_of_json_is_decided_by_content_and_others_are_passed_over(tmp_path):
    frames(tmp_path, "a.png")
    write(
        tmp_path / "labelme.json", coco([{"id": 1, "file_name": "a.png"}], [{"image_id": 1, "segmentation": [SQUARE]}])
    )
    write(tmp_path / "config.json", {"lr": 1e-4})
    (tmp_path / "broken.json").write_text("{")
    assert read_records(tmp_path).layout == "coco"


def test_a_broken_json_alone_is_named(tmp_path):
    frames(tmp_path, "a.png")
    (tmp_path / "data.json").write_text("{")
    with pytest.raises(RefusedInput, match=r"data\.json: expected JSON, found a fault at line 1"):
        read_records(tmp_path)


@pytest.mark.parametrize("layout", ["sa2va", "labelme", "coco", "refcoco"])
def test_a_wrong_json_layout_names_the_file_and_what_was_expected(tmp_path, layout):
    frames(tmp_path, "a.png")
    file = write(tmp_path / "data.json", {"something": "else"})
    for root in (tmp_path, file):
        with pytest.raises(RefusedInput) as refusal:
            read_records(root, layout)
        assert str(root) in str(refusal.value)
        assert "expected" in str(refusal.value)


def test_a_file_of_another_layout_than_named(tmp_path):
    frames(tmp_path, "a.png")
    file = write(tmp_path / "data.json", [{"image": "a.png", "mask": SQUARE}])
    with pytest.raises(RefusedInput, match=r"expected an object with 'images' and 'annotations'.*found sa2va"):
        read_records(file, "coco")


def test_a_declaration_says_that_names_are_no_secret(tmp_path):
    frames(tmp_path, "images/a.png", "masks/a.png")
    declaration = write(tmp_path / "dataset.json", {"ids": "public", "layout": "images"})
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public, len(reading.records)) == ("images", True, 2)
    assert read_records(tmp_path, "paired").public
    write(declaration, {"ids": "public"})
    assert (read_records(tmp_path).layout, read_records(tmp_path).public) == ("paired", True)


@pytest.mark.parametrize("value", [{"ids": "secret"}, {"layout": "unheard"}, [], {"layout": ["paired"]}])
def test_a_wrong_declaration_is_refused(tmp_path, value):
    frames(tmp_path, "images/a.png", "masks/a.png")
    write(tmp_path / "dataset.json", value)
    with pytest.raises(RefusedInput, match=r"dataset\.json: expected such as"):
        read_records(tmp_path)


def test_nothing_to_read_and_unknown_names(tmp_path):
    for root in (tmp_path, tmp_path / "none"):
        with pytest.raises(RefusedInput, match="expected"):
            read_records(root)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RefusedInput, match=r"notes\.txt: expected a folder or a JSON annotation file"):
        read_records(tmp_path / "notes.txt")
    with pytest.raises(UsageProblem, match="unheard"):
        read_records(tmp_path, "unheard")
    assert len(set(LAYOUTS)) == len(LAYOUTS)


def test_dicom_files_are_found_by_content_and_videos_by_suffix(tmp_path):
    values = np.zeros((2, 4, 6), dtype=np.uint16)
    dicom_files.write(tmp_path / "films/1/2/3/4/5/IM0001", dicom_files.angiogram(values))
    write_video(tmp_path / "videos/a.avi", values.astype(np.uint8))
    for name, layout in (("films", "dicom"), ("videos", "video")):
        reading = read_records(tmp_path / name)
        assert (reading.layout, reading.public, len(reading.records)) == (layout, False, 2)
        assert [record.index for record in reading.records] == [0, 1]
    with pytest.raises(RefusedInput, match=r"found video and dicom\. Choose with --layout"):
        read_records(tmp_path)
    assert len(read_records(tmp_path, "dicom").records) == 2
