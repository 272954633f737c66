"""Polygons inside another one of their object are counted, in every layout that has polygons; the mask is the union."""

import pytest

from helpers.data.audit.audit import audit
from helpers.data.audit.findings import enclosed_polygons
from helpers.data.dataset import open_dataset
from helpers.data.truth.ground_truth import PolygonTruth, RleTruth, UnionTruth
from tests.support.annotation_files import write
from tests.support.field_data_sets import frame

OUTER, HOLE, APART = ([at, at, to, at, to, to, at, to] for at, to in ((4, 36), (12, 28), (1, 3)))


def sa2va(*objects):
    return [{"image": "a.png", "mask": list(objects), "text": ["vessel"] * len(objects)}]


def coco(*objects):
    annotations = [
        {"id": number, "image_id": 1, "category_id": 1, "segmentation": one} for number, one in enumerate(objects)
    ]
    images = [{"id": 1, "file_name": "a.png", "width": 48, "height": 40}]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "vessel"}]}


def labelme(*objects):
    shapes = [
        {
            "label": "vessel",
            "group_id": number,
            "shape_type": "polygon",
            "points": [*zip(one[::2], one[1::2], strict=True)],
        }
        for number, polygons in enumerate(objects)
        for one in polygons
    ]
    return {"shapes": shapes, "imagePath": "a.png", "imageWidth": 48, "imageHeight": 40, "imageData": None}


@pytest.mark.parametrize("form", [sa2va, coco, labelme])
@pytest.mark.parametrize(
    ("objects", "count"),
    [
        ([[OUTER, HOLE]], 1),
        ([[HOLE, OUTER], [APART]], 1),
        ([[OUTER], [HOLE]], 0),
        ([[OUTER, APART]], 0),
        ([[OUTER, OUTER]], 0),
    ],
    ids=["hole", "hole first", "another object", "apart", "twice"],
)
def test_holes_written_as_polygons_are_told(tmp_path, form, objects, count):
    frame(tmp_path / "a.png", 1)
    write(tmp_path / "a.json", form(*objects))
    opened = open_dataset(tmp_path)
    found = [finding for finding in audit(opened).findings if finding.kind == "enclosed_polygon"]
    assert [(one.severity, one.what.split()[0]) for one in found] == ([("warning", str(count))] if count else [])
    expected = 32 * 32 + (4 if objects[-1][-1] is APART else 0)
    assert opened.cases[0].truth.mask(48, 40).sum() == expected


def test_annotations_of_another_size_are_looked_at_in_their_own(tmp_path):
    frame(tmp_path / "a.png", 1)
    doubled = [[2 * value for value in polygon] for polygon in (OUTER, HOLE)]
    write(tmp_path / "a.json", sa2va(doubled))
    opened = open_dataset(tmp_path, rescale_from=(96, 80))
    assert [one.kind for one in audit(opened).findings if one.kind == "enclosed_polygon"] == ["enclosed_polygon"]


def test_truths_that_are_united_are_looked_at_one_by_one():
    code = RleTruth(({"size": [40, 48], "counts": [0, 40 * 48]},))
    assert enclosed_polygons(UnionTruth((PolygonTruth((tuple(OUTER), tuple(HOLE))), code)), 48, 40) == 1
    assert enclosed_polygons(UnionTruth((PolygonTruth((tuple(OUTER),)), PolygonTruth((tuple(HOLE),)))), 48, 40) == 0
    assert enclosed_polygons(code, 48, 40) == 0
