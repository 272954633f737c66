"""Every value of an annotation file is replaced by damaged ones: the outcome is cases, faults or one clear refusal."""

import copy
import json
import os

import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.data.frames.frame_source import frame_count, read_frame
from helpers.data.layouts.detection import read_records
from helpers.data.truth.mask_file import mask_size, read_mask
from helpers.data.truth.truth_problem import texts
from tests.support.annotation_files import SQUARE, coco

POLYGON = {"label": "v", "points": [[1, 1], [3, 1], [3, 3]], "shape_type": "polygon"}
CODE = {"size": [6, 8], "counts": [48]}
COCO = coco(
    [{"id": 1, "file_name": "a.png"}],
    [{"image_id": 1, "segmentation": [SQUARE]}, {"image_id": 1, "segmentation": CODE}],
)
SOUND = {
    "sa2va": [{"image": "a.png", "mask": [SQUARE], "text": ["x"]}, {"image": "b.png", "mask": SQUARE}],
    "labelme": {"imagePath": "a.png", "imageWidth": 8, "imageHeight": 6, "shapes": [POLYGON]},
    "coco": COCO,
    "refcoco": [{"ref_id": 1, "ann_id": 1, "image_id": 1, "split": "train", "sentences": [{"sent": "x"}]}],
}
DAMAGE = (None, True, -1, 10**400, float("nan"), "", "../x", "/etc/passwd", "a\0", [], {}, [[]], [[[[1]]]], 1e300)


def places(value, at=()):
    """Where a JSON value can be damaged, as the keys that lead there."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*at, key))


def damaged(value, at, by):
    if not at:
        return by
    value = copy.deepcopy(value)
    holder = value
    for key in at[:-1]:
        holder = holder[key]
    holder[at[-1]] = by
    return value


@pytest.mark.slow
@pytest.mark.parametrize("layout", SOUND)
def test_damage_anywhere_is_a_fault_a_problem_or_a_refusal(tmp_path, layout):
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 6)).save(tmp_path / name)
    (tmp_path / "instances.json").write_text(json.dumps(COCO))
    file = tmp_path / "refs.json"
    outcomes = set()
    for at in places(SOUND[layout]):
        for by in DAMAGE:
            file.write_text(json.dumps(damaged(SOUND[layout], at, by)))
            try:
                reading = read_records(file, layout)
            except RefusedInput:
                outcomes.add("refused")
                continue
            outcomes.add("fault" if reading.faults else "read")
            for record in reading.records:
                assert record.path.parent == tmp_path
                outcomes.add(outcome_of(record.truth))
    assert outcomes >= {"refused", "read", "sound", "problem"} - ({"problem"} if layout == "refcoco" else set())


def outcome_of(truth):
    if truth is None:
        return "none"
    problems = texts(truth.problems(8, 6))
    if not problems:
        assert truth.mask(8, 6).shape == (6, 8)
        return "sound"
    with pytest.raises(RefusedInput):
        truth.mask(8, 6)
    return "problem"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.json", read_json),
        ("a.json", read_records),
        ("a.png", read_mask),
        ("a.png", mask_size),
        ("a.ppm.gz", read_mask),
        ("a.ppm.gz", lambda path: read_frame(path, None)),
        ("a.dcm", lambda path: read_frame(path, None)),
        ("a.avi", frame_count),
        ("a.avi", lambda path: read_frame(path, 0)),
    ],
)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name, read):
    os.mkfifo(tmp_path / name)
    with pytest.raises(RefusedInput):
        read(tmp_path / name)


def test_a_pipe_among_images_and_annotations_leaves_the_others_alone(tmp_path):
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    (tmp_path / "data.json").write_text(json.dumps(SOUND["sa2va"][:1]))
    os.mkfifo(tmp_path / "other.json")
    os.mkfifo(tmp_path / "b.png")
    assert [record.name for record in read_records(tmp_path).records] == ["a.png"]
