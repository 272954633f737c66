"""Labels: one is vessel, several are asked about, LabelMe's own mean what they mean there."""

import base64
import io
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.audit.audit import audit
from helpers.data.audit.findings import enclosed_polygons
from helpers.data.dataset import open_dataset
from helpers.data.rules import Rules
from helpers.data.truth.ground_truth import PolygonTruth
from helpers.data.truth.shape_labels import BACKGROUND, IGNORE, LabelledTruth, choose_labels
from helpers.data.truth.truth_problem import texts


def box(left, top, right, bottom):
    return [left, top, right, top, right, bottom, left, bottom]


WHOLE, LEFT, RIGHT, MIDDLE = box(0, 0, 8, 6), box(0, 0, 4, 6), box(4, 0, 8, 6), box(2, 0, 6, 6)


def shape(label, flat, kind="polygon", **more):
    points = [list(point) for point in zip(flat[::2], flat[1::2], strict=True)]
    return {"label": label, "points": points, "shape_type": kind, **more}


@pytest.fixture
def labelme(tmp_path):
    def make(*files):
        for number, shapes in enumerate(files):
            Image.new("L", (8, 6), number).save(tmp_path / f"{number}.png")
            value = {"imagePath": f"{number}.png", "shapes": list(shapes), "imageWidth": 8, "imageHeight": 6}
            (tmp_path / f"{number}.json").write_text(json.dumps(value))
        return tmp_path

    return make


@pytest.fixture
def coco(tmp_path):
    def make(*annotations, names=("vessel", "catheter", "stent")):
        Image.new("L", (8, 6)).save(tmp_path / "a.png")
        value = {
            "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 6}],
            "annotations": [{"id": n, "image_id": 1, **one} for n, one in enumerate(annotations)],
            "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        }
        (tmp_path / "instances.json").write_text(json.dumps(value))
        return tmp_path

    return make


def columns(root, tried=None, case=0):
    """Number of vessel and of ignored columns of a case; None where it is refused."""
    truth = open_dataset(root, tried=tried or Rules()).cases[case].truth
    try:
        mask = truth.mask(8, 6)
    except RefusedInput:
        return None
    ignored = truth.ignored(8, 6) if hasattr(truth, "ignored") else None
    return int(mask[0].sum()), 0 if ignored is None else int(ignored[0].sum())


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([shape("vessel", LEFT), shape("vessel", MIDDLE)], (6, 0)),
        ([shape("LAD", LEFT)], (4, 0)),
        ([shape(None, LEFT)], (4, 0)),
        ([shape("vessel", WHOLE), shape(BACKGROUND, RIGHT)], (4, 0)),
        ([shape(BACKGROUND, RIGHT), shape("vessel", WHOLE)], (8, 0)),
        ([shape("vessel", WHOLE), shape(BACKGROUND, MIDDLE), shape("vessel", box(3, 0, 5, 6))], (6, 0)),
        ([shape("vessel", LEFT), shape(IGNORE, MIDDLE)], (2, 4)),
        ([shape(IGNORE, MIDDLE), shape("vessel", LEFT)], (4, 2)),
        ([shape(IGNORE, WHOLE), shape(BACKGROUND, LEFT)], (0, 4)),
        ([shape(IGNORE, LEFT)], (0, 4)),
        ([], (0, 0)),
    ],
)
def test_labelmes_own_labels_mean_what_they_mean_there(labelme, shapes, expected):
    root = labelme(shapes)
    assert columns(root) == expected
    assert audit(open_dataset(root)).ok


def test_several_labels_are_named_with_counts_and_asked_about(labelme):
    root = labelme([shape("vessel", LEFT), shape("catheter", MIDDLE)], [shape("vessel", WHOLE)], [])
    opened = open_dataset(root)
    report = audit(opened)
    errors = [found for found in report.findings if found.severity == "error"]
    assert [(found.kind, found.case_id) for found in errors] == [("undecided_labels", None)]
    assert "'vessel' 2, 'catheter' 1" in errors[0].what and "--vessel LABEL" in errors[0].advice
    assert [columns(root, case=case) for case in range(3)] == [None] * 3
    with pytest.raises(RefusedInput, match="'vessel' 2, 'catheter' 1.*--vessel LABEL --ignore LABEL --save"):
        opened.cases[0].truth.mask(8, 6)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(vessel=("vessel",)), (2, 0)),
        (Rules(vessel=("vessel", "catheter")), (6, 0)),
        (Rules(vessel=("catheter",)), (4, 0)),
        (Rules(vessel=("vessel",), ignore=("catheter",)), (2, 4)),
        (Rules(ignore=("catheter",)), (2, 4)),
        (Rules(vessel=("vein",)), None),
        (Rules(vessel=("Vessel",)), None),
    ],
)
def test_a_later_shape_of_labelmes_covers_the_earlier_ones(labelme, rules, expected):
    root = labelme([shape("vessel", LEFT), shape("catheter", MIDDLE)])
    assert columns(root, rules) == expected
    if expected is not None:
        report = audit(open_dataset(root, tried=rules))
        assert report.ok and any(found.kind == "labels" for found in report.findings)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(), None),
        (Rules(vessel=("vessel",)), (4, 0)),
        (Rules(vessel=("vessel",), ignore=("catheter",)), (4, 2)),
        (Rules(ignore=("catheter",)), (4, 2)),
        (Rules(vessel=("vessel", "catheter")), (6, 0)),
        (Rules(vessel=("vein",)), None),
    ],
)
def test_categories_of_coco_are_asked_about_and_do_not_cover(coco, rules, expected):
    root = coco({"segmentation": [LEFT], "category_id": 0}, {"segmentation": [MIDDLE], "category_id": 1})
    assert columns(root, rules) == expected


def test_one_category_is_vessel_whatever_others_the_file_lists(coco):
    root = coco({"segmentation": [LEFT], "category_id": 0})
    assert columns(root) == (4, 0) and isinstance(open_dataset(root).cases[0].truth, PolygonTruth)
    assert columns(coco({"segmentation": [LEFT]}, {"segmentation": [MIDDLE], "category_id": 0})) is None


@pytest.mark.parametrize(
    ("shapes", "rules", "expected"),
    [
        ((0, 1), Rules(), (4, 0)),
        ((0, 1), Rules(vessel=("Stenosis",)), (4, 0)),
        ((0, 1), Rules(vessel=("vessel", "Stenosis")), (6, 0)),
        ((0, 1), Rules(ignore=("Stenosis",)), (4, 2)),
        ((1,), Rules(), None),
        ((1,), Rules(vessel=("Stenosis",)), (4, 0)),
    ],
)
def test_lesions_of_coco_are_background_unless_a_rule_names_them(coco, shapes, rules, expected):
    flat = {0: LEFT, 1: MIDDLE}
    given = [{"segmentation": [flat[at]], "category_id": at} for at in shapes]
    root = coco(*given, names=("vessel", "Stenosis"))
    assert columns(root, rules) == expected
    said = [found.what for found in audit(open_dataset(root, tried=rules)).findings if "labels" in found.kind]
    assert len(said) == 1 and "'Stenosis' 1" in said[0]


@pytest.mark.parametrize("label", ["vessel", "catheter"])
def test_one_label_is_named_by_the_check(labelme, label):
    report = audit(open_dataset(labelme([shape(label, LEFT)])))
    assert [(found.kind, found.what) for found in report.findings] == [("labels", f"vessel: '{label}' 1")]


def test_labels_that_differ_in_case_or_blanks_are_several(labelme):
    root = labelme([shape("vessel", LEFT), shape("Vessel", MIDDLE), shape("vessel ", RIGHT)])
    assert "'Vessel' 1, 'vessel' 1, 'vessel ' 1" in audit(open_dataset(root)).to_text()
    assert columns(root, Rules(vessel=("vessel", "Vessel", "vessel "))) == (8, 0)


def test_arcade_has_vessels_alone_however_it_is_named(coco, tmp_path):
    coco({"segmentation": [LEFT], "category_id": 0}, {"segmentation": [MIDDLE], "category_id": 1}, names=("1", "12a"))
    for name, folder in (("a.png", "images"), ("instances.json", "annotations")):
        (tmp_path / "syntax/train" / folder).mkdir(parents=True)
        (tmp_path / name).rename(tmp_path / "syntax/train" / folder / name)
    for root in (tmp_path, tmp_path / "syntax/train/annotations/instances.json"):
        assert columns(root) == (6, 0)


def png(values):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize("kind", [bool, np.uint8])
def test_masks_of_labelme_are_pixels_between_two_corners(labelme, kind):
    inside = np.array([[1, 0, 1], [0, 1, 0]], kind)
    given = shape("vessel", [2, 1, 4, 2], "mask", mask=png(inside if kind is bool else inside * 255))
    truth = open_dataset(labelme([given])).cases[0].truth
    expected = np.zeros((6, 8), bool)
    expected[1:3, 2:5] = inside
    assert np.array_equal(truth.mask(8, 6), expected) and truth.size == (8, 6)
    both = open_dataset(labelme([given, shape("vessel", LEFT)])).cases[0].truth.mask(8, 6)
    assert both[:, :4].all() and both[:, 4:].sum() == expected[:, 4:].sum()
    cut = open_dataset(labelme([shape("vessel", WHOLE), {**given, "label": BACKGROUND}])).cases[0].truth
    assert np.array_equal(cut.mask(8, 6), ~expected)


@pytest.mark.parametrize(
    ("flat", "mask", "words"),
    [
        ([2, 1, 4, 2], png(np.ones((2, 2), bool)), "expected its mask to fill 3x2 pixels"),
        ([2, 1, 4, 2], "no base64!", "no PNG in base64"),
        ([2, 1, 4, 2], base64.b64encode(b"no png").decode(), "no PNG in base64"),
        ([2, 1, 4, 2], None, "no PNG in base64"),
        ([2, 1, 4, 2], 7, "no PNG in base64"),
        ([6, 1, 8, 2], png(np.ones((2, 3), bool)), "does not lie in an image of 8x6"),
        ([-1, 1, 1, 2], png(np.ones((2, 3), bool)), "does not lie in an image"),
        ([2, 1], png(np.ones((2, 3), bool)), "expected two corners"),
    ],
)
def test_damaged_masks_of_labelme_are_broken_truths(labelme, flat, mask, words):
    root = labelme([shape("vessel", flat, "mask", mask=mask)])
    assert columns(root) is None
    assert words in texts(open_dataset(root).cases[0].truth.problems(8, 6))[0]


def test_rectangles_that_are_turned_and_other_shapes(labelme):
    turned = [4, 0, 8, 3, 4, 6, 0, 3]
    truths = [
        open_dataset(labelme([shape("vessel", turned, kind)])).cases[0].truth.mask(8, 6)
        for kind in ("oriented_rectangle", "polygon")
    ]
    assert np.array_equal(*truths) and truths[0].any()
    assert columns(labelme([shape("vessel", turned[:6], "oriented_rectangle")])) is None
    for kind in ("circle", "ellipse", "cuboid"):
        assert columns(labelme([shape("vessel", [1, 1, 3, 3], kind)])) is None


@pytest.mark.parametrize("kind", ["linestrip", "line", "point", "points"])
def test_vessels_drawn_as_lines_alone_are_no_empty_truth(labelme, kind):
    line = shape("vessel", [1, 1, 3, 3], kind)
    root = labelme([line])
    assert columns(root) is None and not audit(open_dataset(root)).ok
    assert "no area" in texts(open_dataset(root).cases[0].truth.problems(8, 6))[0]
    assert columns(labelme([line, shape("vessel", LEFT)])) == (4, 0)
    beside = labelme([line, shape("catheter", LEFT)])
    assert columns(beside) is None and columns(beside, Rules(vessel=("vessel",))) is None
    assert columns(labelme([{**line, "label": "catheter"}, shape("vessel", LEFT)]), Rules(vessel=("vessel",))) == (4, 0)


def test_holes_drawn_as_polygons_are_seen_among_labels_too(labelme, coco):
    hole = [2, 2, 3, 2, 3, 3, 2, 3]
    drawn = labelme([shape("vessel", WHOLE), shape("vessel", hole), shape("catheter", hole)])
    opened = open_dataset(drawn, tried=Rules(vessel=("vessel",)))
    assert enclosed_polygons(opened.cases[0].truth, 8, 6) == 1
    for path in drawn.iterdir():
        if path.is_file():
            path.unlink()
    parts = {"segmentation": [WHOLE, hole], "category_id": 0}, {"segmentation": [hole], "category_id": 1}
    opened = open_dataset(coco(*parts), tried=Rules(vessel=("vessel",)))
    assert enclosed_polygons(opened.cases[0].truth, 8, 6) == 1


NAMES = ["vessel", "catheter", IGNORE, BACKGROUND, "LAD"]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 7), st.integers(1, 4)), max_size=7), st.booleans())
def test_every_pixel_is_what_the_last_shape_over_it_says(drawn, decided):
    parts = tuple((label, PolygonTruth((tuple(box(at, 0, min(at + wide, 8), 1)),))) for label, at, wide in drawn)
    truth = LabelledTruth(parts, True, (8, 1))
    rules = Rules(vessel=("vessel", "LAD")) if decided else Rules()
    choice = choose_labels([truth], rules)
    counts = Counter(label for label, _, _ in drawn)
    if choice is None:
        assert not drawn
        return
    free = counts.keys() - {IGNORE, BACKGROUND}
    assert (choice.reason is None) == (bool(free & {"vessel", "LAD"}) if decided else len(free) <= 1)
    if choice.reason is None:
        line = [None] * 8
        for label, at, wide in drawn:
            line[at : at + wide] = [label] * min(wide, 8 - at)
        vessel = set(rules.vessel or free)
        chosen = LabelledTruth(parts, True, (8, 1), (), choice)
        ignored = chosen.ignored(8, 1)
        assert chosen.mask(8, 1)[0].tolist() == [label in vessel for label in line]
        assert (np.zeros(8, bool) if ignored is None else ignored[0]).tolist() == [label == IGNORE for label in line]
