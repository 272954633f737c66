"""COCO files, and ARCADE's folders."""

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.data.layouts.detection import read_records
from helpers.data.truth.shapes import encode
from helpers.data.truth.truth_problem import texts
from tests.support.annotation_files import OTHER, SQUARE, coco, frames, write


def run_lengths(compressed):
    mask = np.zeros((6, 8), dtype=bool)
    mask[4, 2:5] = True
    if compressed:
        return encode(mask)
    return {"size": [6, 8], "counts": [2 * 6 + 4, 1, 5, 1, 5, 1, 3 * 6 + 1]}


@pytest.mark.parametrize("compressed", [True, False])
def test_polygons_and_run_length_codes_are_united(tmp_path, compressed):
    frames(tmp_path, "images/a.png")
    annotations = [{"image_id": 7, "segmentation": [SQUARE, OTHER]}, {"image_id": 7, "segmentation": [OTHER]}]
    annotations.append({"image_id": 7, "segmentation": run_lengths(compressed), "iscrowd": 1})
    write(tmp_path / "annotations/instances.json", coco([{"id": 7, "file_name": "a.png"}], annotations))
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("coco", False)
    record = reading.records[0]
    assert (record.name, record.provenance["objects"]) == ("images/a.png", 3)
    assert record.truth.size == (8, 6)
    mask = record.truth.mask(8, 6)
    assert mask.sum() == 4 + 4 + 3
    assert mask[4, 2:5].all()
    assert texts(record.truth.problems(8, 6)) == ()


def test_images_without_annotation(tmp_path):
    frames(tmp_path, "a.png", "b.png")
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    file = write(tmp_path / "data.json", coco(images, [{"image_id": 1, "segmentation": [SQUARE]}]))
    reading = read_records(file)
    assert not reading.records[1].truth.mask(8, 6).any()
    assert reading.notes == ("1 image without an annotation, whose mask is empty",)
    write(file, coco(images, []))
    assert [record.truth for record in read_records(file).records] == [None, None]


def test_masks_that_a_run_predicted_are_no_truth(tmp_path):
    frames(tmp_path, "a.png", "b.png")
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    predicted = {"image_id": 1, "segmentation": [SQUARE], "case_id": "a", "seg_index": 0, "score": 0.9}
    reading = read_records(write(tmp_path / "renamed.json", coco(images, [predicted])))
    for record in reading.records:
        assert "a run predicted" in texts(record.truth.problems(8, 6))[0]
        with pytest.raises(RefusedInput, match="no ground truth"):
            record.truth.mask(8, 6)


@pytest.mark.parametrize(
    ("segmentation", "problem"),
    [
        (None, "no segmentation"),
        ([], "no segmentation"),
        ([[1, 1, 2, 2]], "has 2 points"),
        ([["a", 1, 2, 2, 3, 3]], "found str"),
        ({"size": [6, 8], "counts": [1, 2]}, "cover 3 pixels"),
        ({"size": [6, 8], "counts": "~~~"}, "character"),
        ({"size": [12, 16], "counts": [192]}, "made for 16x12"),
        ({}, "size"),
    ],
)
def test_a_broken_annotation_leaves_the_others_alone(tmp_path, segmentation, problem):
    frames(tmp_path, "a.png", "b.png")
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    annotations = [{"image_id": 1, "segmentation": segmentation}, {"image_id": 2, "segmentation": [SQUARE]}]
    write(tmp_path / "data.json", coco(images, annotations))
    broken, sound = read_records(tmp_path).records
    assert problem in "; ".join(texts(broken.truth.problems(8, 6)))
    with pytest.raises(RefusedInput):
        broken.truth.mask(8, 6)
    assert sound.truth.mask(8, 6).sum() == 4


def test_a_name_that_an_upload_prefixed_is_told(tmp_path):
    frames(tmp_path, "images/a.png")
    file = write(tmp_path / "data.json", coco([{"id": 1, "file_name": "images/8e1b2c3d-a.png"}], []))
    with pytest.raises(RefusedInput, match="a.png is there: take off in the file what an upload put before"):
        read_records(file)


def test_an_absolute_path_says_how_to_write_it(tmp_path):
    frames(tmp_path, "a.png")
    file = write(tmp_path / "data.json", coco([{"id": 1, "file_name": "/data/study/a.png"}], []))
    with pytest.raises(RefusedInput, match="of one machine: write it relative to the annotation file"):
        read_records(file)


def test_damaged_entries_are_faults(tmp_path):
    frames(tmp_path, "a.png")
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "/etc/passwd"}, {"id": [3]}]
    write(tmp_path / "data.json", coco(images, [{"image_id": 1, "segmentation": [SQUARE]}, {"image_id": {}}]))
    reading = read_records(tmp_path)
    assert [record.name for record in reading.records] == ["a.png"]
    assert len(reading.faults) == 3


def test_ids_are_compared_as_text(tmp_path):
    frames(tmp_path, "a.png", "b.png")
    images = [{"id": "2", "file_name": "a.png"}, {"id": 3, "file_name": "b.png"}]
    annotations = [{"image_id": 2, "segmentation": [SQUARE]}, {"image_id": "3", "segmentation": [SQUARE, OTHER]}]
    write(tmp_path / "data.json", coco(images, annotations))
    reading = read_records(tmp_path)
    assert [int(record.truth.mask(8, 6).sum()) for record in reading.records] == [4, 8]
    assert reading.faults == ()


def test_an_id_of_several_images_breaks_their_truths_and_no_other(tmp_path):
    frames(tmp_path, "a.png", "b.png", "c.png")
    images = [{"id": 1, "file_name": "a.png"}, {"id": "1", "file_name": "b.png"}, {"id": 2, "file_name": "c.png"}]
    annotations = [{"image_id": 1, "segmentation": [SQUARE]}, {"image_id": 2, "segmentation": [SQUARE]}]
    write(tmp_path / "data.json", coco(images, annotations))
    *broken, sound = read_records(tmp_path).records
    assert all("the same id" in texts(record.truth.problems(8, 6))[0] for record in broken) and len(broken) == 2
    assert sound.truth.mask(8, 6).sum() == 4


def test_annotations_that_point_to_no_image_are_faults_by_their_position(tmp_path):
    frames(tmp_path, "a.png")
    annotations = [{"image_id": 1, "segmentation": [SQUARE]}, {"image_id": 9, "segmentation": [SQUARE]}, {}]
    write(tmp_path / "data.json", coco([{"id": 1, "file_name": "a.png"}], annotations))
    assert [fault.reason for fault in read_records(tmp_path).faults] == [
        f"entry {number} of 'annotations' points to no image of the file" for number in (1, 2)
    ]


def test_images_beside_that_no_entry_names_are_counted(tmp_path):
    frames(tmp_path, "a.png", "b.png")
    write(tmp_path / "data.json", coco([{"id": 1, "file_name": "a.png"}], []))
    reading = read_records(tmp_path)
    assert len(reading.records) == 1
    assert "skipped: 1 image beside, in no annotation file" in reading.notes


def arcade(root, task, folder, split_files):
    for split, name in split_files.items():
        base = root / folder.format(task=task, split=split)
        frames(base, "images/1.png")
        annotations = [
            {"image_id": 1, "segmentation": [SQUARE], "category_id": 1},
            {"image_id": 1, "segmentation": [OTHER], "category_id": 2},
        ]
        write(base / "annotations" / name, coco([{"id": 1, "file_name": "1.png"}], annotations, ("12a", "stenosis")))


SPLITS = {"train": "train.json", "val": "val.json", "test": "test.json"}


@pytest.mark.parametrize("prefix", ["", "arcade/"])
def test_arcade_reads_vessels_and_leaves_lesions(tmp_path, prefix):
    for task in ("syntax", "stenosis"):
        arcade(tmp_path, task, prefix + "{task}/{split}", SPLITS)
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("arcade", True)
    assert [(record.name, record.split) for record in reading.records] == [
        (f"{prefix}syntax/{split}/images/1.png", split) for split in ("test", "train", "val")
    ]
    assert reading.records[0].truth.mask(8, 6)[1:3, 1:3].all()
    assert reading.records[0].truth.mask(8, 6).sum() == 4
    assert reading.notes == ("skipped: 3 annotations of lesions",)
    lesions = read_records(tmp_path, "arcade_stenosis")
    assert lesions.layout == "arcade_stenosis"
    assert lesions.records[0].truth.mask(8, 6)[1:3, 4:6].all()
    assert lesions.records[0].truth.mask(8, 6).sum() == 4


def test_the_older_archives_of_arcade(tmp_path):
    phase_1 = "arcade_challenge_datasets/dataset_phase_1/segmentation_dataset/seg_{split}"
    arcade(tmp_path, "", phase_1, {"train": "seg_train.json", "val": "seg_val.json"})
    final = "arcade_challenge_datasets/dataset_final_phase/test_case_segmentation"
    arcade(tmp_path, "", final, {"test": "instances_default.json"})
    reading = read_records(tmp_path)
    assert reading.layout == "arcade"
    assert [record.split for record in reading.records] == ["test", "train", "val"]


def test_lesions_must_be_named(tmp_path):
    arcade(tmp_path, "stenosis", "{task}/{split}", SPLITS)
    for root in (tmp_path, tmp_path / "stenosis", tmp_path / "stenosis/train/annotations/train.json"):
        with pytest.raises(RefusedInput, match="arcade_stenosis"):
            read_records(root)
    assert len(read_records(tmp_path, "arcade_stenosis").records) == 3


@pytest.mark.parametrize("image", ["images/train/a.png", "train/a.png", "annotations/train/a.png", "images/a.png"])
@pytest.mark.parametrize("file", ["annotations/instances_train.json", "annotations/train.json"])
def test_images_lie_in_a_folder_of_the_subset(tmp_path, image, file):
    frames(tmp_path, image)
    written = write(
        tmp_path / file, coco([{"id": 1, "file_name": "a.png"}], [{"image_id": 1, "segmentation": [SQUARE]}])
    )
    found = [read_records(tmp_path)] + ([read_records(written)] if image.startswith(("images", "train")) else [])
    for reading in found:
        assert [(record.name, record.split) for record in reading.records] == [(image, "train")]


def test_subsets_with_equal_names_are_not_mixed(tmp_path):
    for subset in ("train", "val"):
        frames(tmp_path, f"images/{subset}/1.png")
        images = [{"id": 1, "file_name": "1.png"}]
        annotations = [{"image_id": 1, "segmentation": [SQUARE if subset == "train" else OTHER]}]
        write(tmp_path / f"annotations/instances_{subset}.json", coco(images, annotations))
    first, second = read_records(tmp_path).records
    assert (first.name, second.name) == ("images/train/1.png", "images/val/1.png")
    assert first.truth.polygons != second.truth.polygons


def test_an_image_inside_and_outside_of_the_subset_is_refused(tmp_path):
    frames(tmp_path, "images/train/1.png", "images/1.png", "images/train/2.png")
    images = [{"id": number, "file_name": f"{number}.png"} for number in (1, 2)]
    write(tmp_path / "annotations/instances_train.json", coco(images, [{"image_id": 1, "segmentation": [SQUARE]}]))
    reading = read_records(tmp_path)
    assert [record.name for record in reading.records] == ["images/train/2.png"]
    assert [fault.reason for fault in reading.faults] == [
        "image path: it is there twice, in a folder train and outside"
    ]
