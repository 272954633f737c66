"""Masks are never read as frames, whatever their folders and files are called."""

import string
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.layouts.detection import read_records
from helpers.data.truth.truth_problem import texts
from tests.support.field_data_sets import frame, mask

# Image and mask of one frame, with {} for its name; all of them are read as pairs.
PAIRED = {
    "nnU-Net raw": ("imagesTr/{}_0000.png", "labelsTr/{}.png"),
    "nnU-Net raw below a task": ("Dataset501_Vessel/imagesTr/v_{}_0000.png", "Dataset501_Vessel/labelsTr/v_{}.png"),
    "mmsegmentation": ("img_dir/train/{}.jpg", "ann_dir/train/{}.png"),
    "mmsegmentation with a suffix": ("img_dir/train/{}.png", "ann_dir/train/{}_labelTrainIds.png"),
    "VOC": ("VOC2012/JPEGImages/{}.jpg", "VOC2012/SegmentationClass/{}.png"),
    "KITTI": ("training/image_2/{}_10.png", "training/semantic/{}_10.png"),
    "Cityscapes": ("leftImg8bit/train/{}_leftImg8bit.png", "gtFine/train/{}_gtFine.png"),
    "inputs and targets": ("inputs/{}.png", "targets/{}.png"),
    "images and vessel": ("images/{}.png", "vessel/{}.png"),
    "image and label": ("image/{}.png", "label/{}.png"),
    "x and y": ("x/{}.png", "y/{}.png"),
    "pix2pix": ("A/train/{}.png", "B/train/{}.png"),
    "ground truth": ("data/{}.png", "groundtruth/{}.png"),
    "Kaggle": ("train/{}.jpg", "train_masks/{}_mask.gif"),
    "a hyphen": ("set/{}.png", "set/{}-mask.png"),
    "vessels behind": ("set/{}.png", "set/{}_vessels.png"),
    "in front": ("set/{}.png", "set/mask_{}.png"),
    "both in front": ("set/image{}.png", "set/gt{}.png"),
    "an unheard suffix": ("set/{}.png", "set/{}_adernbaum.png"),
    "another suffix of the file": ("set/{}.jpg", "set/{}.png"),
    "upper case": ("RAW/{}.PNG", "Adern/{}.png"),
    "folders of patients": ("P1/raw/{}.png", "P1/vessel/{}.png"),
    "masks below the images": ("P1/{}.png", "P1/adern/{}.png"),
    "patients below": ("angio/P1/{}.png", "tree/P1/{}.png"),
}


@pytest.mark.parametrize("values", [255, 1])
@pytest.mark.parametrize("layout", PAIRED)
def test_layouts_of_the_field_are_pairs(tmp_path, layout, values):
    image, truth = PAIRED[layout]
    names = ["a7", "b12", "c3", "d40"]
    for seed, name in enumerate(names):
        frame(tmp_path / image.format(name), seed)
        mask(tmp_path / truth.format(name), seed, 255 if truth.endswith(".gif") else values)
    reading = read_records(tmp_path)
    found = {record.name: record.provenance.get("annotation") for record in reading.records}
    assert (reading.layout, reading.faults) == ("paired", ())
    assert found == {image.format(name): truth.format(name) for name in names}
    assert all(record.truth.problems(48, 40) == () for record in reading.records)


def test_masks_of_some_images_are_pairs_and_the_others_keep_their_cases(tmp_path):
    for seed in range(6):
        frame(tmp_path / "in" / f"{seed}.png", seed)
    for seed in range(2):
        mask(tmp_path / "out" / f"{seed}.png", seed)
    reading = read_records(tmp_path)
    assert [record.truth is None for record in reading.records] == [False] * 2 + [True] * 4


def test_parts_of_nnunet_without_labels_are_frames_of_another_split(tmp_path):
    for seed in range(3):
        frame(tmp_path / "imagesTr" / f"a_{seed:03d}_0000.png", seed)
        mask(tmp_path / "labelsTr" / f"a_{seed:03d}.png", seed, 1)
        frame(tmp_path / "imagesTs" / f"b_{seed:03d}_0000.png", seed + 9)
    reading = read_records(tmp_path)
    assert sorted((record.split, record.truth is None) for record in reading.records) == (
        [("test", True)] * 3 + [("train", False)] * 3
    )


def test_objects_and_pictures_of_voc_are_no_second_truth(tmp_path):
    for seed in range(3):
        frame(tmp_path / "JPEGImages" / f"{seed}.jpg", seed)
        for folder in ("SegmentationClass", "SegmentationObject"):
            mask(tmp_path / folder / f"{seed}.png", seed, mode="P")
    reading = read_records(tmp_path)
    assert {record.provenance["annotation"].split("/")[0] for record in reading.records} == {"SegmentationClass"}
    assert "skipped: 3 image files outside the folders of images and masks" in reading.notes


@pytest.mark.parametrize(
    ("image", "truth"),
    [
        ("images/{}_0000.png", "masks/{}.png"),
        ("images/img_{}.png", "masks/mask_{}.png"),
        ("train/images/{}_raw.png", "train/labels/{}_tree.png"),
        ("images/{}.png", "masks/{}_unheard.png"),
    ],
)
def test_folders_that_pair_by_name_pair_their_files_too(tmp_path, image, truth):
    names = ["a7", "b12", "c3"]
    for seed, name in enumerate(names):
        frame(tmp_path / image.format(name), seed)
        mask(tmp_path / truth.format(name), seed)
    reading = read_records(tmp_path)
    found = {record.name: record.provenance.get("annotation") for record in reading.records}
    assert (found, reading.faults) == ({image.format(name): truth.format(name) for name in names}, ())


@pytest.mark.parametrize("folder", ["masks", "out"])
def test_a_mask_of_a_format_that_is_not_read_is_told_and_not_dropped(tmp_path, folder):
    for seed in range(3):
        frame(tmp_path / "images" / f"{seed}.png", seed)
        path = tmp_path / folder / f"{seed}.webp"
        mask(path.with_suffix(".png"), seed)
        Image.open(path.with_suffix(".png")).save(path, lossless=True)
        path.with_suffix(".png").unlink()
    reading = read_records(tmp_path)
    assert all("known format" in texts(record.truth.problems())[0] for record in reading.records)


def test_masks_in_the_transparency_are_masks(tmp_path):
    for seed in range(3):
        frame(tmp_path / "in" / f"{seed}.png", seed)
        path = mask(tmp_path / "out" / f"{seed}.png", seed)
        image = Image.new("RGBA", (48, 40), (200, 10, 10, 0))
        image.putalpha(Image.open(path))
        image.save(path)
    reading = read_records(tmp_path)
    assert [record.name for record in reading.records] == ["in/0.png", "in/1.png", "in/2.png"]


def written(root, image, truth, count=4, sizes=((48, 40), (48, 40)), **options):
    for seed in range(count):
        frame(root / image.format(seed), seed, sizes[0])
        mask(root / truth.format(seed), seed, size=sizes[1], **options)


@pytest.mark.parametrize(
    ("image", "truth", "sizes", "why"),
    [
        ("in/{}.png", "out/other{}x.png", ((48, 40), (48, 40)), None),
        ("in/{}.png", "out/{}.png", ((48, 40), (40, 48)), "their sizes differ"),
    ],
)
def test_what_is_not_certain_is_refused_by_name(tmp_path, image, truth, sizes, why):
    written(tmp_path, image, truth, sizes=sizes)
    with pytest.raises(RefusedInput) as refusal:
        read_records(tmp_path)
    assert "out/" in str(refusal.value) and "--layout images" in str(refusal.value)
    assert why is None or ("in/" in str(refusal.value) and why in str(refusal.value))
    reading = read_records(tmp_path, "images")
    assert len(reading.records) == 8
    assert "what looks like masks was read as frames, as the layout images was named" in reading.notes


def test_masks_that_half_belong_are_refused_with_both_folders(tmp_path):
    written(tmp_path, "in/{}.png", "out/{}.png")
    mask(tmp_path / "out" / "other.png", 9)
    with pytest.raises(RefusedInput, match=r"images in in/ and what looks like their masks in out/.*not every one"):
        read_records(tmp_path)


@pytest.mark.parametrize("folders", [("in", "one", "two"), ("images", "masks", "masks_old"), ("images", "a", "b")])
def test_two_folders_of_masks_are_refused_with_both(tmp_path, folders):
    images, *masks = folders
    for name in masks:
        written(tmp_path, f"{images}/{{}}.png", f"{name}/{{}}.png")
    with pytest.raises(RefusedInput) as refusal:
        read_records(tmp_path)
    assert all(f"{name}/" in str(refusal.value) for name in masks)


def test_two_folders_of_images_are_refused_with_both(tmp_path):
    written(tmp_path, "cranial/{}.png", "adern/{}.png")
    for seed in range(4):
        frame(tmp_path / "caudal" / f"{seed}.png", seed + 30)
    with pytest.raises(RefusedInput, match=r"caudal/ or cranial/.*adern/"):
        read_records(tmp_path)


def test_several_channels_are_refused(tmp_path):
    written(tmp_path, "imagesTr/v{}_0000.png", "labelsTr/v{}.png")
    for seed in range(4):
        frame(tmp_path / "imagesTr" / f"v{seed}_0001.png", seed + 30)
    with pytest.raises(RefusedInput, match="several channels"):
        read_records(tmp_path)


@pytest.mark.parametrize(("image", "truth"), [("masks/{}.png", "images/{}.png"), ("{}_mask.png", "{}.png")])
def test_frames_and_masks_under_each_other_s_names_are_refused(tmp_path, image, truth):
    written(tmp_path, image, truth)
    with pytest.raises(RefusedInput, match="found the reverse"):
        read_records(tmp_path)


def test_labels_that_are_mostly_not_black_are_refused_with_both(tmp_path):
    for seed in range(3):
        frame(tmp_path / "image_2" / f"{seed}.png", seed)
        labels = np.random.default_rng(seed).integers(7, 19, (40, 48)).astype(np.uint8)
        (tmp_path / "semantic").mkdir(exist_ok=True)
        Image.fromarray(labels).save(tmp_path / "semantic" / f"{seed}.png")
    with pytest.raises(RefusedInput, match=r"images in image_2/.*in semantic/, but most of them is not black"):
        read_records(tmp_path)


def test_black_on_white_is_a_mask_too(tmp_path):
    for seed in range(3):
        frame(tmp_path / "in" / f"{seed}.png", seed)
        path = mask(tmp_path / "out" / f"{seed}.png", seed, size=(48, 40))
        Image.open(path).point(lambda grey: 255 - grey).save(path)
    assert read_records(tmp_path).layout == "paired"


@pytest.mark.parametrize("options", [{}, {"value": 1}, {"mode": "P"}, {"mode": "RGB"}])
def test_masks_alone_are_refused_under_any_name(tmp_path, options):
    for seed in range(4):
        mask(tmp_path / f"q{seed}z" / "0041.png", seed, **options)
    with pytest.raises(RefusedInput, match="what looks like masks"):
        read_records(tmp_path)


def test_masks_saved_as_jpeg_are_masks(tmp_path):
    written(tmp_path, "in/{}.png", "out/{}.jpg", sizes=((200, 160), (200, 160)))
    assert [record.provenance["annotation"] for record in read_records(tmp_path).records][0] == "out/0.jpg"


def test_two_files_of_one_folder_that_do_not_say_which_is_which_are_refused(tmp_path):
    for seed in range(4):
        frame(tmp_path / f"{seed}{seed}.png", seed)
        mask(tmp_path / f"x{9 - seed}y.png", seed)
    with pytest.raises(RefusedInput, match="do not say which belong together"):
        read_records(tmp_path)


def test_black_frames_and_frames_of_few_values_refuse_nothing(tmp_path):
    for seed in range(9):
        frame(tmp_path / "P1" / f"{seed}.png", seed)
        frame(tmp_path / "P2" / f"{seed}.png", seed + 50)
        Image.new("L", (48, 40)).save(tmp_path.joinpath("P1", "black.png"))
    mask(tmp_path / "P2" / "odd.png", 3)
    (tmp_path / "P3").mkdir()
    for seed in range(3):
        Image.new("L", (48, 40)).save(tmp_path / "P3" / f"{seed}.png")
        few = np.random.default_rng(seed).integers(6, 12, (40, 48)) * 16
        (tmp_path / "P4").mkdir(exist_ok=True)
        Image.fromarray(few.astype(np.uint8)).save(tmp_path / "P4" / f"other{seed}.png")
    reading = read_records(tmp_path)
    assert (reading.layout, len(reading.records)) == ("images", 26)


WORDS = st.text(string.ascii_letters, min_size=1, max_size=9)


@given(
    folders=st.lists(WORDS, min_size=2, max_size=2, unique_by=str.casefold),
    stems=st.lists(st.from_regex(r"[a-z]{0,3}[0-9]{1,4}", fullmatch=True), min_size=2, max_size=6, unique=True),
    start=st.sampled_from(["", "", "m_", "tree-"]),
    end=st.sampled_from(["", "", "_0000", "_q", "-adern"]),
    on_images=st.booleans(),
    depth=st.sampled_from(["{0}", "P1/{0}", "{0}/P1", "train/{0}"]),
    value=st.sampled_from([1, 7, 255]),
)
@settings(max_examples=60, deadline=None)
def test_under_any_names_masks_are_paired_or_refused(folders, stems, start, end, on_images, depth, value):
    images, masks = (depth.format(name) for name in folders)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        wanted = {}
        for seed, stem in enumerate(stems):
            affixed = f"{start}{stem}{end}"
            image, truth = (affixed, stem) if on_images else (stem, affixed)
            frame(root / images / f"{image}.png", seed)
            mask(root / masks / f"{truth}.png", seed, value)
            wanted[f"{images}/{image}.png"] = f"{masks}/{truth}.png"
        try:
            reading = read_records(root)
        except RefusedInput as refusal:
            assert masks in str(refusal) or "masks" in str(refusal)
            assert start and end or affixed != stem  # plain pairs are never refused
        else:
            assert {record.name: record.provenance.get("annotation") for record in reading.records} == wanted
