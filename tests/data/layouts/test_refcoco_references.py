"""RefCOCO-style references."""

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.layouts.detection import read_records
from tests.support.annotation_files import OTHER, SQUARE, coco, frames, write


def references(root):
    frames(root, "images/a.png", "images/b.png")
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    annotations = [{"image_id": 1, "segmentation": [shape]} for shape in (SQUARE, OTHER)]
    write(root / "instances.json", coco(images, annotations))
    return [
        {"ref_id": 1, "ann_id": 1, "image_id": 1, "split": "train", "sentences": [{"sent": "left"}, {"sent": "first"}]},
        {"ref_id": 2, "ann_id": [2], "image_id": 1, "split": "train", "sentences": ["right"]},
        {"ref_id": 3, "ann_id": 99, "image_id": 1, "sentences": []},
    ]


@pytest.mark.parametrize("name", ["refs.json", "refs(unc).json"])
def test_objects_referred_to_in_one_image_are_united(tmp_path, name):
    file = write(tmp_path / name, references(tmp_path))
    for root in (tmp_path, file):
        reading = read_records(root)
        assert reading.layout == "refcoco"
        record = reading.records[0]
        assert (record.name, record.split, record.provenance["texts"]) == (
            "images/a.png",
            "train",
            "left\nfirst\nright",
        )
        assert record.truth.mask(8, 6).sum() == 8
        assert reading.faults[0].reason == "the reference points at no annotation of one image"
        assert "skipped: 1 image of the COCO file that nothing refers to" in reading.notes


def test_an_id_of_several_annotations_points_at_none(tmp_path):
    refs = references(tmp_path)
    annotations = [{"id": key, "image_id": image, "segmentation": [SQUARE]} for key, image in ((1, 1), (1, 2), (2, 1))]
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    write(tmp_path / "instances.json", {"images": images, "annotations": annotations, "categories": []})
    reading = read_records(write(tmp_path / "refs.json", refs))
    assert [record.name for record in reading.records] == ["images/a.png"]
    assert reading.records[0].provenance["objects"] == 1 and len(reading.faults) == 2


def test_pickles_are_never_loaded_and_the_way_out_is_told(tmp_path):
    references(tmp_path)
    (tmp_path / "refs(unc).p").write_bytes(b"cos\nsystem\n(S'touch planted'\ntR.")
    for root in (tmp_path, tmp_path / "refs(unc).p"):
        with pytest.raises(RefusedInput, match="Convert it to JSON"):
            read_records(root)
    assert not (tmp_path / "planted").exists()


def test_the_pickle_is_passed_over_where_its_json_is_there(tmp_path):
    write(tmp_path / "refs.json", references(tmp_path))
    (tmp_path / "refs(unc).p").write_bytes(b"x")
    assert read_records(tmp_path).layout == "refcoco"


def test_references_without_their_coco_file(tmp_path):
    file = write(tmp_path / "refs.json", references(tmp_path))
    (tmp_path / "instances.json").unlink()
    with pytest.raises(RefusedInput, match=r"instances\.json: expected the COCO file"):
        read_records(file)
