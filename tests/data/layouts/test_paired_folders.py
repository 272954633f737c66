"""Folders of paired files, made up in each published layout."""

import gzip

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.layouts.detection import read_records
from helpers.data.truth.truth_problem import texts


def test_the_shared_coronary_set_reads_as_40_cases(shared):
    reading = read_records(shared / "data" / "coronary40")
    assert (reading.layout, reading.public, len(reading.records), reading.faults) == ("paired", False, 40, ())
    assert reading.records[0].name == "images/case_001.png"
    for record in reading.records[:3]:
        assert texts(record.truth.problems(300, 300)) == ()
        assert 0.01 < record.truth.mask(300, 300).mean() < 0.3


def put(root, *names, size=(6, 4), value=255, mode="L"):
    """Image files of one grey value; masks of value 255 are vessel everywhere."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.full((size[1], size[0]), value, np.uint8)).convert(mode)
        if path.suffix == ".gz":
            image.save(path.with_suffix(""))
            path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
            path.with_suffix("").unlink()
        else:
            image.save(path)


def summary(reading):
    """Name, patient, split, and the file of the mask, for each record."""
    return [
        (record.name, record.patient, record.split, record.provenance.get("annotation")) for record in reading.records
    ]


def test_generic_pairs_match_by_stem_whatever_their_order_and_suffix(tmp_path):
    put(tmp_path, "images/a10.png", "images/a2.JPG", "images/lonely.png")
    put(tmp_path, "masks/a2.PNG", "masks/a10_mask.png", "masks/nobody.png")
    reading = read_records(tmp_path)
    assert reading.layout == "paired"
    assert summary(reading) == [
        ("images/a2.JPG", None, None, "masks/a2.PNG"),
        ("images/a10.png", None, None, "masks/a10_mask.png"),
        ("images/lonely.png", None, None, None),
    ]
    assert reading.records[2].truth is None
    assert "1 image without a mask" in reading.notes
    assert [(fault.name, fault.reason) for fault in reading.faults] == [
        ("masks/nobody.png", "a mask without an image of its stem")
    ]


def test_an_image_stem_that_ends_like_a_mask_is_matched_whole(tmp_path):
    put(tmp_path, "images/x_gt.png", "masks/x_gt.png")
    assert summary(read_records(tmp_path))[0][3] == "masks/x_gt.png"


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a.png", "a_mask.png"),
        ("train/a.png", "train/a-GT.tif"),
        ("images/a.png", "images/a_mask.png"),
        ("data/images/a.png", "data/masks/a.png"),
        ("images/P1/a.png", "masks/P1/a.png"),
        ("images/P1/S1/a.png", "masks/P1/S1/a_seg.png"),
        ("P1/images/a.png", "P1/masks/a.png"),
        ("images/a.png", "ground_truth/a.png"),
        ("Images/a.png", "Ground Truth/a.png"),
        ("P1/a.png", "P1/mask/a.png"),
        ("P1/a.png", "masks/P1/a.png"),
        ("images/01.jpg", "manual1/01.tif"),
    ],
)
def test_generic_pairs_wherever_the_word_stands(tmp_path, image, mask):
    put(tmp_path, image, mask)
    reading = read_records(tmp_path)
    split = "train" if image.startswith("train") else None
    assert (reading.layout, summary(reading)) == ("paired", [(image, None, split, mask)])
    assert reading.faults == ()


def test_images_whose_folder_has_no_masks_keep_their_cases(tmp_path):
    put(tmp_path, "train/images/a.png", "train/masks/a.png", "test/images/b.png", "overlays/a.png", "val/masks/c.png")
    reading = read_records(tmp_path)
    assert summary(reading) == [
        ("test/images/b.png", None, "test", None),
        ("train/images/a.png", None, "train", "train/masks/a.png"),
    ]
    assert "1 image without a mask" in reading.notes
    assert any(note.startswith("skipped: 1 image file outside") for note in reading.notes)
    assert [fault.name for fault in reading.faults] == ["val/masks/c.png"]


def test_equal_stems_of_two_patients_are_not_mixed(tmp_path):
    put(tmp_path, "images/P1/a.png", "masks/P1/a.png", "images/P2/a.png", "masks/P2/a.png", "images/p1/a.png")
    assert [annotation for *_, annotation in summary(read_records(tmp_path))] == [
        "masks/P1/a.png",
        None,
        "masks/P2/a.png",
    ]


def test_two_folders_of_images_for_one_of_masks_are_refused_by_name(tmp_path):
    put(tmp_path, "images/a.png", "img/a.png", "masks/a.png")
    with pytest.raises(RefusedInput, match=r"one folder of images for masks/, found images/ and img/"):
        read_records(tmp_path)


@pytest.mark.parametrize("folders", [("{}/images", "{}/masks"), ("images/{}", "masks/{}")])
def test_generic_pairs_in_splits(tmp_path, folders):
    for split in ("train", "val", "test"):
        put(tmp_path, *(f"{folder.format(split)}/{split}1.png" for folder in folders))
    assert sorted(record.split for record in read_records(tmp_path).records) == ["test", "train", "val"]


def test_two_masks_of_one_image_are_a_broken_truth_and_the_others_stay(tmp_path):
    put(tmp_path, "images/a.png", "images/b.png", "masks/a.png", "masks/a_mask.png", "masks/b.png")
    first, second = read_records(tmp_path).records
    assert texts(first.truth.problems()) == ("several masks have the stem of the image",)
    with pytest.raises(RefusedInput):
        first.truth.mask(6, 4)
    assert second.truth.mask(6, 4).all()


def test_two_folders_of_masks_are_refused_by_name(tmp_path):
    put(tmp_path, "images/a.png", "masks/a.png", "labels/a.png")
    with pytest.raises(RefusedInput, match=r"found labels/ and masks/"):
        read_records(tmp_path)


def test_a_link_that_leads_out_is_a_fault(tmp_path):
    put(tmp_path, "elsewhere/b.png", "set/images/a.png", "set/masks/a.png")
    (tmp_path / "set/images/b.png").symlink_to(tmp_path / "elsewhere/b.png")
    reading = read_records(tmp_path / "set")
    assert [record.name for record in reading.records] == ["images/a.png"]
    assert reading.faults[0].reason.startswith("a link leads out of the data set, and is not followed")


def test_xcad(tmp_path):
    put(tmp_path, "train/trainB/003_PPA_-29_PSA_29_2.png", "test/images/00012_34.png", "test/masks/00012_34.png")
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("xcad", True)
    assert summary(reading) == [("test/images/00012_34.png", None, "test", "test/masks/00012_34.png")]
    assert any("train" in note for note in reading.notes)


def test_numbers_alone_do_not_make_a_private_set_public(tmp_path):
    put(tmp_path, "test/images/00012_34.png", "test/masks/00012_34.png")
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("paired", False)


def test_dca1(tmp_path):
    put(
        tmp_path, "Database_134_Angiograms/2.pgm", "Database_134_Angiograms/10.pgm", "Database_134_Angiograms/10_gt.pgm"
    )
    put(tmp_path, "Database_134_Angiograms/2_gt.pgm", value=200)
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("dca1", True)
    assert [(record.name, bool(record.truth.mask(6, 4).all())) for record in reading.records] == [
        ("Database_134_Angiograms/2.pgm", True),
        ("Database_134_Angiograms/10.pgm", True),
    ]
    assert texts(reading.records[0].truth.problems(6, 4)) == ("mask not binary: values 200",)


def test_chuac_masks_are_of_another_size_and_rescaled_only_on_request(tmp_path):
    put(tmp_path, "Original/1.png", "Original/11.png", size=(3, 2))
    put(tmp_path, "Photoshop/angio1ok.png", "Photoshop/angio11ok.PNG")
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("chuac", True)
    truth = reading.records[1].truth
    assert texts(truth.problems(3, 2)) == ("made for 6x4, the frame is 3x2",)
    with pytest.raises(RefusedInput, match="made for 6x4"):
        truth.mask(3, 2)
    assert truth.rescaled_mask(3, 2).shape == (2, 3)


def test_drive_with_a_test_set_without_masks(tmp_path):
    put(tmp_path, "DRIVE/training/images/21_training.tif", "DRIVE/training/mask/21_training_mask.gif")
    put(tmp_path, "DRIVE/training/1st_manual/21_manual1.gif", "DRIVE/test/images/01_test.tif")
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("drive", True)
    assert summary(reading) == [
        ("DRIVE/test/images/01_test.tif", "01", "test", None),
        ("DRIVE/training/images/21_training.tif", "21", "train", "DRIVE/training/1st_manual/21_manual1.gif"),
    ]
    assert reading.records[0].truth is None
    assert reading.records[1].truth.mask(6, 4).all()


def test_drive_of_the_old_release_names_the_second_reader(tmp_path):
    put(tmp_path, "test/images/01_test.tif", "test/1st_manual/01_manual1.gif", "test/2nd_manual/01_manual2.gif")
    record = read_records(tmp_path).records[0]
    assert record.provenance["annotation"] == "test/1st_manual/01_manual1.gif"
    assert record.provenance["second_reader"] == "test/2nd_manual/01_manual2.gif"


def test_parts_of_drive_do_not_take_the_field_of_view_for_truth(tmp_path):
    put(tmp_path, "training/images/21_training.tif", "training/mask/21_training_mask.gif")
    put(tmp_path, "training/1st_manual/21_manual1.gif")
    put(tmp_path, "test/images/01_test.tif", "test/mask/01_test_mask.gif")
    training, test = read_records(tmp_path / "training"), read_records(tmp_path / "test")
    assert (training.layout, test.layout) == ("drive", "drive")
    assert summary(training) == [("images/21_training.tif", "21", "train", "1st_manual/21_manual1.gif")]
    assert summary(test) == [("images/01_test.tif", "01", "test", None)]


def test_a_field_of_view_beside_manual_masks_is_not_taken_for_truth(tmp_path):
    put(tmp_path, "images/a.png", "mask/a_mask.png", "1st_manual/a_manual1.png")
    with pytest.raises(RefusedInput, match=r"found 1st_manual/ and mask/"):
        read_records(tmp_path)


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("folders", [("stare-images/", "labels-ah/", "labels-vk/"), ("", "", "")])
def test_stare(tmp_path, end, folders):
    images, first, second = folders
    names = (f"{images}im0001.ppm{end}", f"{first}im0001.ah.ppm{end}", f"{second}im0001.vk.ppm{end}")
    put(tmp_path, *names, mode="RGB")
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("stare", True)
    assert summary(reading) == [(names[0], None, None, names[1])]
    assert reading.records[0].provenance["second_reader"] == names[2]
    assert reading.records[0].truth.mask(6, 4).all()


def test_chase_db1(tmp_path):
    put(tmp_path, "Image_01L.jpg", "Image_01R.jpg")
    put(tmp_path, *(f"Image_01{side}_{n}HO.png" for side in "LR" for n in ("1st", "2nd")))
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("chase_db1", True)
    assert summary(reading) == [
        ("Image_01L.jpg", "01", None, "Image_01L_1stHO.png"),
        ("Image_01R.jpg", "01", None, "Image_01R_1stHO.png"),
    ]
    assert reading.records[0].provenance["second_reader"] == "Image_01L_2ndHO.png"


def test_fives_with_spaces_and_colour_masks(tmp_path):
    base = "FIVES A Fundus Image Dataset for AI-based Vessel Segmentation"
    put(tmp_path, f"{base}/train/Original/1_A.png", f"{base}/test/Original/2_N.png")
    put(tmp_path, f"{base}/train/Ground truth/1_A.png", f"{base}/test/Ground truth/2_N.png", mode="RGB")
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("fives", True)
    assert [record.split for record in reading.records] == ["test", "train"]
    assert reading.records[0].truth.mask(6, 4).all()
    assert texts(reading.records[0].truth.problems(6, 4)) == ()


def test_hrf_with_either_case_of_suffix(tmp_path):
    put(tmp_path, "images/01_dr.JPG", "images/01_h.jpg", "manual1/01_dr.tif", "manual1/01_h.tif", "mask/01_h_mask.tif")
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("hrf", True)
    assert summary(reading) == [
        ("images/01_dr.JPG", "01_dr", None, "manual1/01_dr.tif"),
        ("images/01_h.jpg", "01_h", None, "manual1/01_h.tif"),
    ]


@pytest.mark.parametrize(
    "layout", ["paired", "xcad", "dca1", "chuac", "drive", "stare", "chase_db1", "fives", "hrf", "arcade"]
)
def test_a_wrong_layout_names_the_folder_and_what_was_expected(tmp_path, layout):
    put(tmp_path, "frame.png")
    with pytest.raises(RefusedInput) as refusal:
        read_records(tmp_path, layout)
    assert str(tmp_path) in str(refusal.value)
    assert "expected" in str(refusal.value)


def test_a_folder_that_is_a_link_out_is_not_followed(tmp_path):
    put(tmp_path, "elsewhere/a.png", "set/masks/a.png")
    (tmp_path / "set/images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedInput, match="expected layout paired"):
        read_records(tmp_path / "set", "paired")


def test_a_name_with_a_line_break_is_a_name_like_others(tmp_path):
    put(tmp_path, "images/a\nb.png", "images/c.png", value=90)
    put(tmp_path, "masks/a\nb.png", "masks/c.png")
    assert [record.truth is not None for record in read_records(tmp_path).records] == [True, True]


def test_links_in_circles_give_no_frame_twice(tmp_path):
    put(tmp_path, "images/a.png", value=90)
    put(tmp_path, "masks/a.png")
    (tmp_path / "images/up").symlink_to("..")
    (tmp_path / "self").symlink_to(tmp_path)
    assert len(read_records(tmp_path).records) == 1


def test_folders_that_are_links_out_of_the_data_set_are_told(tmp_path):
    put(tmp_path / "disk", "images/a.png", value=90)
    put(tmp_path / "disk", "masks/a.png")
    data = tmp_path / "data"
    put(data, "images/a.png", value=90)
    (data / "masks").symlink_to(tmp_path / "disk/masks")
    reading = read_records(data)
    assert reading.records[0].truth is None
    assert "not followed, being links out of the data set: masks/; name the real folder" in reading.notes[-1]
    other = tmp_path / "other"
    put(other, "masks/a.png")
    (other / "images").symlink_to(tmp_path / "disk/images")
    with pytest.raises(RefusedInput, match="links out of the data set: images/"):
        read_records(other)
