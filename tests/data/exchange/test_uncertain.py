"""Masks whose meaning is not certain are refused by name, in every format."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from helpers.core import safe_json
from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Exchange
from helpers.data.exchange import exchanged
from helpers.data.exchange.brush_rle import encode_brush
from helpers.data.exchange.exchange_formats import kind_of, read_masks, write_cases
from helpers.data.exchange.exchanged import SentSet, VesselChoice
from helpers.data.exchange.nifti import write_nifti
from tests.data.exchange.test_exchange_formats import SENT, back, sent

MASK = np.ones((4, 4), bool)


def labelme(*shapes, **more):
    return {"imagePath": "a.png", "imageWidth": 9, "imageHeight": 9, "shapes": list(shapes), **more}


def polygon(left=0, right=8, label="v"):
    points = [[left, left], [right, left], [right, right], [left, right]]
    return {"label": label, "points": points, "shape_type": "polygon"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (labelme(polygon(), polygon(label="catheter")), "one label, found 'catheter', 'v'"),
        (labelme(polygon(label="__ignore__")), "own label __ignore__"),
        (labelme(polygon(), polygon(3, 5)), "whether it is a hole"),
        (labelme(polygon(), {"label": "v", "points": [[1, 1]], "shape_type": "point"}), "1 shape of points or lines"),
        (labelme(polygon(), imageWidth=None), "expected the width and height"),
        (labelme(polygon(right=20)), "can be drawn: polygon 1 reaches"),
        (labelme(polygon(), imagePath=""), "a.json: expected the file name of its image, found ''"),
        (labelme(polygon(), imagePath=None), "expected the file name of its image, found None"),
        ({**labelme(), "shapes": None}, "a.json: expected 'shapes' as a list of objects"),
        ({**labelme(), "shapes": {"label": "v"}}, "expected 'shapes' as a list of objects"),
        (labelme("v"), "expected 'shapes' as a list of objects"),
        ({"a": 1}, "found none"),
    ],
)
def test_labelme(tmp_path, value, words):
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(RefusedInput, match=words):
        back(tmp_path, Exchange.LABELME)


@pytest.mark.parametrize("label", ["background", "Background", "BG", "_background", "", "(none)"])
def test_a_label_that_means_no_vessel_is_one_only_where_a_user_says_so(tmp_path, label):
    (tmp_path / "a.json").write_text(json.dumps(labelme(polygon(label=label))))
    shown = label or "(none)"
    with pytest.raises(RefusedInput, match=re.escape(f"found {shown!r}, which means the background, or nothing")):
        read_masks(tmp_path, Exchange.LABELME)
    given = read_masks(tmp_path, Exchange.LABELME, (), VesselChoice((shown,)))
    assert len(given.masks) == 1 and given.said == (f"taken as vessel: what is labelled {shown!r}",)


def test_a_coco_category_that_the_file_lacks_is_no_label(tmp_path):
    with pytest.raises(RefusedInput, match=r"found '\(none\)', which means.* say so with --vessel '\(none\)'"):
        coco(tmp_path, annotations=lambda given: given[0].update(category_id=7))


def coco(tmp_path, **changes):
    write_cases(Exchange.COCO, tmp_path, sent(a=MASK), SENT)
    path = tmp_path / "annotations/instances_default.json"
    value = json.loads(path.read_text())
    for place, change in changes.items():
        change(value[place])
    path.write_text(json.dumps(value))
    return back(path, Exchange.COCO)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": lambda images: images[0].update(width=5)}, "of the image's size 5x4, found 4x4"),
        ({"annotations": lambda items: items[0].update(image_id=9)}, "points to no image"),
        ({"annotations": lambda items: items.append({**items[0], "category_id": 2}),
          "categories": lambda items: items.append({"id": 2, "name": "stent"})}, "'stent', 'vessel'"),
        ({"annotations": lambda items: items[0]["segmentation"].update(counts=[0, 3])}, "cover 3 pixels"),
        ({"annotations": lambda items: items[0].update(segmentation=[[0, 0, 4, 0, 4, 4], [1, 0.5, 3, 0.5, 3, 2]]),
          "images": lambda items: None}, "whether it is a hole"),
        ({"images": lambda images: images[0].update(file_name="")}, "image 1: expected the file name of its image"),
        ({"images": lambda images: images[0].update(file_name=".")}, "image 1: expected the file name of its image"),
        ({"images": lambda images: images[0].update(file_name="../..")}, "image 1: expected the file name of its"),
        ({"images": lambda images: images[0].pop("file_name")}, "image 1: expected the file name .* found None"),
    ],
)  # fmt: skip
def test_coco(tmp_path, changes, words):
    with pytest.raises(RefusedInput, match=words):
        coco(tmp_path, **changes)


def test_annotations_of_coco_are_united(tmp_path):
    found = coco(tmp_path, annotations=lambda items: items.append({**items[0], "id": 2}))
    assert np.array_equal(found["a"], MASK)


@pytest.mark.parametrize("name", ["../images/a.png", "C:\\images\\a.png", "/images/a.png"])
def test_the_way_to_an_image_of_coco_is_no_part_of_its_name(tmp_path, name):
    coco(tmp_path, images=lambda images: images[0].update(file_name=name))
    assert [one.name for one in read_masks(tmp_path, Exchange.COCO).masks] == ["images/a"]


def layer(mask=MASK, **more):
    value = {"format": "rle", "rle": encode_brush(mask), "brushlabels": ["v"]}
    return {"type": "brushlabels", "original_width": 4, "original_height": 4, "value": value, **more}


def task(*layers, image="/data/upload/2/00ff00ff-a.png", **more):
    return {"id": 5, "data": {"image": image}, "annotations": [{"result": list(layers)}], **more}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (task(layer(), layer(value={**layer()["value"], "brushlabels": ["w"]})), "one label, found 'v', 'w'"),
        (task(layer(value={**layer()["value"], "brushlabels": ["v", "w"]})), r"found \['v', 'w'\]"),
        (task(layer(image_rotation=90)), "turned by 90 degrees"),
        (task({"type": "polygonlabels", "value": {"points": []}}), "found 'polygonlabels'"),
        (task(layer(), annotations=[{"result": [layer()]}, {"result": []}]), "one annotation, found 2"),
        (task(layer(original_width=5)), "expected 5x4 pixels"),
        (task(layer(original_width=None)), "expected original_width"),
        (task(annotations=[{"result": None}]), "Export as JSON, not JSON-MIN"),
        (task(layer(), data={"picture": "a.png"}), "expected its image under 'image'"),
        (task(layer(), image=""), "task 5: expected the file name of its image"),
    ],
)
def test_label_studio(tmp_path, value, words):
    (tmp_path / "a.json").write_text(json.dumps([value]))
    with pytest.raises(RefusedInput, match=words):
        back(tmp_path, Exchange.LABEL_STUDIO)


def test_brush_layers_are_united_under_the_name_the_image_had(tmp_path):
    first, second = np.zeros((2, 4, 4), bool)
    first[0], second[2] = True, True
    tasks = [
        task(layer(first), layer(second)),
        task(layer(first), image="/data/local-files/?d=x%2Fb-0.png"),
        task(layer(first), image="https://somewhere/0123abcd-c.png"),
        task(annotations=[{"result": [], "was_cancelled": True}]),
    ]
    (tmp_path / "a.json").write_text(json.dumps(tasks))
    found = back(tmp_path, Exchange.LABEL_STUDIO)
    assert found.keys() == {"a", "b-0", "0123abcd-c"} and np.array_equal(found["a"], first | second)


def test_answers_beside_brush_layers_draw_nothing_and_are_counted(tmp_path):
    region = layer(value={**layer()["value"], "choices": ["sure"]}, type="choices")
    answers = [region, {"type": "choices", "value": {"choices": ["good"]}}, {"type": "relation", "from_id": "a"}]
    (tmp_path / "a.json").write_text(json.dumps([task(layer(), *answers), task(*answers, image="/b.png")]))
    found = read_masks(tmp_path, Exchange.LABEL_STUDIO)
    assert [(one.name, int(one.read().sum())) for one in found.masks] == [("a", int(MASK.sum()))]
    assert found.untouched == 1 and found.notes[-1].startswith("6 answers beside the brush layers left out")


@pytest.mark.parametrize("kind", [Exchange.LABELME, Exchange.COCO, Exchange.LABEL_STUDIO])
def test_one_label_counts_over_all_files(tmp_path, kind):
    for name, label in (("a", "vessel"), ("b", "vessel"), ("c", "catheter")):
        (tmp_path / name).mkdir()
        write_cases(kind, tmp_path / name, sent(**{name: MASK}), SentSet(label, "x", True))
        if name == "b":
            assert back(tmp_path, kind).keys() == {"a", "b"}
    with pytest.raises(RefusedInput, match=r"c/.*json and .*a/.*json: expected .* one label, found 'catheter', 'ves"):
        read_masks(tmp_path, kind)


@pytest.mark.parametrize("kind", [Exchange.LABELME, Exchange.COCO, Exchange.LABEL_STUDIO])
def test_files_larger_than_other_json_may_be_are_read(tmp_path, kind, monkeypatch):
    for limit in ("MAX_BYTES", "MAX_VALUES", "MAX_VERTICES"):
        assert getattr(safe_json, limit) < getattr(exchanged, f"_{limit}")
    write_cases(kind, tmp_path, sent(a=MASK, b=MASK), SENT)
    monkeypatch.setattr(safe_json, "MAX_VALUES", 1)  # these limits play no part here
    monkeypatch.setattr(safe_json.read_json, "__defaults__", (1, 0, None))
    assert back(tmp_path, kind).keys() == {"a", "b"}
    monkeypatch.setattr(exchanged, "_MAX_VALUES", 2)
    with pytest.raises(RefusedInput, match="at most 2 JSON values"):
        read_masks(tmp_path, kind)


@pytest.mark.parametrize("ending", [".NII.GZ", ".Nii", ".nii.gz"])
def test_the_ending_of_nifti_is_known_in_any_case(tmp_path, ending):
    write_nifti(tmp_path / f"a{ending.lower()}", MASK.astype(np.uint8))
    (tmp_path / f"a{ending.lower()}").rename(tmp_path / f"a{ending}")
    assert kind_of(tmp_path) is Exchange.NIFTI and np.array_equal(back(tmp_path)["a"], MASK)


def nnunet(tmp_path, **changes):
    write_cases(Exchange.NNUNET, tmp_path, sent(a=MASK), SENT)
    value = json.loads((tmp_path / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps(value | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": {"background": 0, "a": 1, "b": 2}}, "one label, found 'a', 'b'"),
        ({"labels": {"background": 0, "a": [1, 2]}}, r'of their own, found {"background": 0, "a": \[1, 2\]}'),
        ({"labels": {"background": 0, "a": 1, "b": 1}}, "others with a number of their own"),
        ({"labels": {"background": 0}}, "others with a number of their own"),
        ({"labels": {"background": 0, "a": 2, "ignore": 1}}, "expected 0 and 2, as dataset.json says, found 1"),
        ({"labels": {"background": 0, "a": 2}}, "expected 0 and 2, as dataset.json says, found 1"),
        ({"file_ending": ".tif"}, "found .tif"),
    ],
)
def test_nnunet(tmp_path, changes, words):
    nnunet(tmp_path, **changes)
    with pytest.raises(RefusedInput, match=words):
        back(tmp_path, Exchange.NNUNET)


def three_labels(kind, folder):
    """A file of a format whose image `a` has vessels in row 0 and 1, and a catheter in row 1, drawn later."""
    folder.mkdir()
    vessel, catheter = np.zeros((2, 4, 4), bool)
    vessel[:2] = catheter[1] = True
    if kind is Exchange.NNUNET:
        write_cases(kind, folder, sent(a=vessel), SENT)
        Image.fromarray(vessel + catheter.astype(np.uint8)).save(folder / "labelsTr/a.png")
        value = json.loads((folder / "dataset.json").read_text())
        value["labels"] = {"background": 0, "LAD": 1, "catheter": 2, "LCX": 3}
        (folder / "dataset.json").write_text(json.dumps(value))
        return
    for name, mask, label in (("first", vessel, "LAD"), ("second", catheter, "catheter"), ("third", vessel, "LCX")):
        (folder / name).mkdir()
        write_cases(kind, folder / name, sent(a=mask if name != "third" else vessel[::-1]), SentSet(label, "x", True))


def merged(kind, folder):
    """The annotations of `three_labels` in one file, the third label on another image."""
    name = {Exchange.LABELME: "labelme/a.json", Exchange.COCO: "annotations/instances_default.json"}.get(kind)
    first, second, third = (json.loads((folder / one / (name or "tasks.json")).read_text()) for one in ORDER)
    if kind is Exchange.LABELME:
        first["shapes"] += second["shapes"]
        third["imagePath"] = "b.png"
        values = [first, third]
    elif kind is Exchange.COCO:
        first["annotations"].append({**second["annotations"][0], "category_id": 2})
        first["annotations"].append({**third["annotations"][0], "category_id": 3, "image_id": 2})
        first["categories"] += [{"id": 2, "name": "catheter"}, {"id": 3, "name": "LCX"}]
        first["images"].append({**first["images"][0], "id": 2, "file_name": "b.png"})
        values = [first]
    else:
        first[0]["annotations"][0]["result"] += second[0]["annotations"][0]["result"]
        third[0]["data"]["image"] = "/data/local-files/?d=images/b.png"
        values = [first + third]
    shutil.rmtree(folder)
    folder.mkdir()
    for number, value in enumerate(values):
        (folder / f"{number}.json").write_text(json.dumps(value))


ORDER = ("first", "second", "third")


@pytest.mark.parametrize("kind", [Exchange.LABELME, Exchange.COCO, Exchange.LABEL_STUDIO, Exchange.NNUNET])
def test_labels_that_a_user_calls_vessel_are_united_and_others_play_no_part(tmp_path, kind):
    folder = tmp_path / "in"
    three_labels(kind, folder)
    if kind is not Exchange.NNUNET:
        merged(kind, folder)
    with pytest.raises(RefusedInput, match="one label, found 'LAD', 'LCX', 'catheter'.*with --vessel LABEL"):
        read_masks(folder, kind)
    given = read_masks(folder, kind, (), VesselChoice(("LAD",)))
    (one,) = given.masks
    # LabelMe and nnU-Net have one label for a pixel, the others may have several.
    rows = 1 if kind in (Exchange.LABELME, Exchange.NNUNET) else 2
    assert one.name.rpartition("/")[2] == "a" and one.read().any(axis=1).tolist() == [row < rows for row in range(4)]
    assert given.untouched == (kind is not Exchange.NNUNET)
    both = read_masks(folder, kind, (), VesselChoice(("LAD", "LCX"))).masks
    assert len(both) == 1 + (kind is not Exchange.NNUNET)
    with pytest.raises(RefusedInput, match="expected shapes labelled 'RCA', as --vessel requires, found 'LAD'"):
        read_masks(folder, kind, (), VesselChoice(("LAD", "RCA")))


def test_a_polygon_within_one_of_another_label_is_no_hole(tmp_path):
    inner = polygon(3, 5, label="catheter")
    (tmp_path / "a.json").write_text(json.dumps(labelme(polygon(), inner)))
    (one,) = read_masks(tmp_path, Exchange.LABELME, (), VesselChoice(("v",))).masks
    assert one.read().sum() == 64 - 4
    (tmp_path / "a.json").write_text(json.dumps(labelme(polygon(), polygon(3, 5), polygon(0, 1, label="x"))))
    (one,) = read_masks(tmp_path, Exchange.LABELME, (), VesselChoice(("v",))).masks
    with pytest.raises(RefusedInput, match="whether it is a hole"):
        one.read()


def test_masks_that_nnunet_predicted_lie_beside_its_file(tmp_path):
    nnunet(tmp_path)
    (tmp_path / "labelsTr/a.png").rename(tmp_path / "a.png")
    for name in ("labelsTr", "imagesTr"):
        for path in (tmp_path / name).iterdir():
            path.unlink()
        (tmp_path / name).rmdir()
    assert np.array_equal(back(tmp_path)["a"], MASK)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([[0, 1, 2]], np.uint8), "expected masks of 0 and 255"),
        (np.arange(100, dtype=np.uint8).reshape(10, 10), "Export masks of vessel alone"),
    ],
)
def test_png_of_several_values(tmp_path, values, words):
    Image.fromarray(values).save(tmp_path / "a.png")
    with pytest.raises(RefusedInput, match=words):
        read_masks(tmp_path, Exchange.PNG)


def test_png_of_colours_and_damaged_ones(tmp_path):
    Image.new("RGB", (2, 2), (255, 0, 0)).save(tmp_path / "a.png")
    with pytest.raises(RefusedInput, match="a.png: expected a mask"):
        read_masks(tmp_path, Exchange.PNG)
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(RefusedInput, match="a.png: expected a mask"):
        read_masks(tmp_path, Exchange.PNG)
