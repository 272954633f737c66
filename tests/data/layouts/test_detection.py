"""Finding out what a data set is."""

import zipfile

import numpy as np
import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.layouts.detection import LAYOUTS, read_records
from tests.support import dicom_files
from tests.support.annotation_files import SQUARE, coco, frames, write
from tests.support.video_files import write_video


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
    with pytest.raises(RefusedInput, match=r"notes\.txt: expected a folder, a JSON annotation file, or one image"):
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


def test_frames_of_several_kinds_are_refused_with_their_counts(tmp_path):
    dicom_files.write(tmp_path / "IM0001", dicom_files.angiogram(np.zeros((2, 4, 6), dtype=np.uint16)))
    frames(tmp_path, "a.png", "b.png")
    with pytest.raises(RefusedInput, match=r"found 1 DICOM file and 2 images\..*--layout dicom or images"):
        read_records(tmp_path)
    reading = read_records(tmp_path, "dicom")
    assert len(reading.records) == 2 and "skipped: 2 images beside" in reading.notes
    frames(tmp_path, "masks/a.png")
    with pytest.raises(RefusedInput, match=r"found 1 DICOM file and 3 images\..*--layout paired or dicom or images"):
        read_records(tmp_path)
    write_video(tmp_path / "films" / "a.avi", np.zeros((2, 4, 6), np.uint8))
    assert "skipped: 1 video file beside" in read_records(tmp_path, "paired").notes


def test_one_image_is_a_data_set_without_truth_whatever_lies_beside_it(tmp_path):
    frames(tmp_path, "images/Doe_1.png", "images/Doe_2.png", "masks/Doe_1.png")
    reading = read_records(tmp_path / "images/Doe_1.png")
    assert reading.layout == "images"
    assert [(record.name, record.truth, record.index) for record in reading.records] == [("Doe_1.png", None, None)]


def test_one_dicom_or_video_file_is_a_frame_or_a_sequence(tmp_path):
    values = np.zeros((2, 4, 6), np.uint16)
    for name, given in (("IM0001", values[0]), ("IM0002.dcm", values)):
        dicom_files.write(tmp_path / name, dicom_files.angiogram(given))
    write_video(tmp_path / "a.avi", values.astype(np.uint8))
    single, cine, film = (read_records(tmp_path / name) for name in ("IM0001", "IM0002.dcm", "a.avi"))
    assert [(one.layout, len(one.records)) for one in (single, cine, film)] == [
        ("dicom", 1),
        ("dicom", 2),
        ("video", 2),
    ]
    assert single.records[0].index is None and len({record.sequence for record in cine.records}) == 1


def test_one_file_of_another_kind_is_refused_in_one_sentence(tmp_path):
    frames(tmp_path, "a.png")
    (tmp_path / "a.docx").write_bytes(b"PK")
    with pytest.raises(RefusedInput, match="or one image, DICOM or video file, found another file"):
        read_records(tmp_path / "a.docx")
    with pytest.raises(RefusedInput, match="expected layout coco, found one image. Leave --layout out"):
        read_records(tmp_path / "a.png", "coco")


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        (["a/1.png", "GT_png/7.png"], "the folder GT_png/"),
        (["frames/1.png", "vessel-masks/1.png"], "the folder vessel-masks/"),
        (["images/a.png", "P1/masks/b.png"], "the folder masks/"),
        (["a.png", "mask_a.png"], "1 file named like masks"),
        (["a/1.png", "b/1_gt.png", "b/2_gt.png"], "2 files named like masks"),
        (["one/a.png", "two/a_GroundTruth.png"], "1 file named like masks"),
    ],
)
def test_what_looks_like_masks_is_never_taken_for_frames_unasked(tmp_path, names, seen):
    frames(tmp_path, *names)
    with pytest.raises(RefusedInput) as refusal:
        read_records(tmp_path)
    assert f"({seen})" in str(refusal.value) and "--layout images" in str(refusal.value)
    reading = read_records(tmp_path, "images")
    assert len(reading.records) == len(names)
    assert any("looks like masks" in note for note in reading.notes)


@pytest.mark.parametrize("name", ["LAD_seg3_045.png", "masked.png", "manuel/1.png", "P12/lca_1.png", "light.png"])
def test_plain_names_do_not_look_like_masks(tmp_path, name):
    frames(tmp_path, name)
    assert read_records(tmp_path).layout == "images"


def test_an_archive_in_place_of_frames_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("images/a.png", b"")
    with pytest.raises(RefusedInput, match=r"there are archives \(zip\): 1 file, which are not read: unpack"):
        read_records(tmp_path)
