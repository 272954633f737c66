"""LabelMe folders."""

import base64
import io

import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.layouts.detection import read_records
from helpers.data.truth.truth_problem import texts
from tests.support.annotation_files import OTHER, SQUARE, frames, write
from tests.support.field_data_sets import frame, mask


def shape(flat, **more):
    points = [list(point) for point in zip(flat[::2], flat[1::2], strict=True)]
    return {"label": "vessel", "points": points, "shape_type": "polygon", **more}


def labelme(image, *shapes, width=8, height=6):
    data = {"version": "5.4", "flags": {}, "imagePath": image, "imageData": "AAAA", "shapes": list(shapes)}
    return {**data, "imageWidth": width, "imageHeight": height}


def test_one_file_for_each_image(tmp_path):
    frames(tmp_path, "a.png", "b.png")
    write(tmp_path / "a.json", labelme("a.png", shape(SQUARE), shape(OTHER, label="branch")))
    write(tmp_path / "b.json", labelme("b.png"))
    reading = read_records(tmp_path)
    assert (reading.layout, [record.name for record in reading.records]) == ("labelme", ["a.png", "b.png"])
    first, second = reading.records
    assert first.truth.size == (8, 6)
    assert first.truth.mask(8, 6).sum() == 8
    assert first.provenance == {"annotation": "a.json", "labels": "branch, vessel"}
    assert not second.truth.mask(8, 6).any()


def test_masks_beside_are_not_taken_for_images_without_a_file(tmp_path):
    frame(tmp_path / "a.png", 1)
    write(tmp_path / "a.json", labelme("a.png", shape(SQUARE), width=48, height=40))
    mask(tmp_path / "drawn.png", 1)
    with pytest.raises(RefusedInput, match="1 image beside .* look like masks"):
        read_records(tmp_path)


def test_images_without_a_file_of_their_own_keep_their_cases(tmp_path):
    frames(tmp_path, "a.png", "b.png")
    file = write(tmp_path / "a.json", labelme("a.png", shape(SQUARE)))
    reading = read_records(tmp_path)
    assert [(record.name, record.truth is None) for record in reading.records] == [("a.png", False), ("b.png", True)]
    assert reading.notes == ("1 image without an annotation file, and so without ground truth",)
    assert len(read_records(file).records) == 1


def test_a_broken_file_is_a_fault_in_whichever_folder_it_comes_first(tmp_path):
    frames(tmp_path, "p/a.png", "p/b.png", "q/a.png", "q/b.png")
    for folder in ("p", "q"):
        (tmp_path / folder / "a.json").write_text("{")
        write(tmp_path / folder / "b.json", labelme("b.png", shape(SQUARE)))
    reading = read_records(tmp_path)
    assert [fault.name for fault in reading.faults] == ["a.json", "a.json"]
    assert "skipped, since they could not be read: 2 of the entries" in reading.notes


@pytest.mark.parametrize("image", ["../images/a.png", "..\\images\\a.png", "a.png"])
def test_annotations_in_a_folder_of_their_own(tmp_path, image):
    frames(tmp_path, "images/a.png")
    file = write(tmp_path / "labels/a.json", labelme(image, shape(SQUARE)))
    assert {read_records(root).records[0].name for root in (tmp_path, file)} == {"images/a.png"}


def test_shapes_other_than_polygons(tmp_path):
    frames(tmp_path, "a.png", "b.png")
    box = shape([1, 1, 3, 3], shape_type="rectangle")
    write(tmp_path / "a.json", labelme("a.png", box, shape([1, 1, 5, 5], shape_type="line")))
    write(tmp_path / "b.json", labelme("b.png", shape([1, 1, 3, 3], shape_type="circle")))
    reading = read_records(tmp_path)
    assert reading.records[0].truth.mask(8, 6).sum() == 4
    assert reading.notes == ("skipped, since points and lines have no area: 1 shape",)
    assert "neither a polygon nor a rectangle" in texts(reading.records[1].truth.problems())[0]


@pytest.mark.parametrize("alpha", [255, 0])
def test_a_mask_in_a_picture_with_transparency(tmp_path, alpha):
    frames(tmp_path, "a.png")
    picture, content = Image.new("LA", (3, 2), (255, 255)), io.BytesIO()
    picture.putpixel((1, 1), (255, alpha))
    picture.save(content, "PNG")
    drawn = shape([1, 1, 3, 2], shape_type="mask", mask=base64.b64encode(content.getvalue()).decode())
    write(tmp_path / "a.json", labelme("a.png", drawn))
    truth = read_records(tmp_path).records[0].truth
    if alpha:
        assert truth.mask(8, 6).sum() == 6
    else:
        assert "its mask: 1 of 6 pixels are transparent" in texts(truth.problems())[0]


def test_an_annotation_for_another_size_is_refused_and_rescaled_on_request(tmp_path):
    frames(tmp_path, "a.png")
    write(tmp_path / "a.json", labelme("a.png", shape([2 * value for value in SQUARE]), width=16, height=12))
    truth = read_records(tmp_path).records[0].truth
    assert texts(truth.problems()) == ()
    assert texts(truth.problems(8, 6))[0] == "made for 16x12, the frame is 8x6"
    with pytest.raises(RefusedInput, match="made for 16x12"):
        truth.mask(8, 6)
    assert truth.rescaled_mask(8, 6).sum() == 4


def test_faults_leave_the_others_alone(tmp_path):
    frames(tmp_path, "a.png", "c.png")
    write(tmp_path / "a.json", labelme("a.png", shape(SQUARE)))
    (tmp_path / "b.json").write_text("{cut")
    write(tmp_path / "c.json", {**labelme("c.png"), "shapes": "none"})
    write(tmp_path / "d.json", labelme("../../d.png", shape(SQUARE)))
    write(tmp_path / "e.json", labelme("e.png") | {"shapes": [{"points": [[1, "x"]]}]})
    reading = read_records(tmp_path)
    assert [record.name for record in reading.records] == ["a.png", "c.png", "e.png"]
    assert [fault.name for fault in reading.faults] == ["b.json", "d.json"]
    assert str(tmp_path) not in reading.faults[0].reason
    assert texts(reading.records[1].truth.problems()) == ("expected shapes as a list of objects",)
    assert "found str" in texts(reading.records[2].truth.problems())[0]


def test_two_files_for_one_image_are_faults(tmp_path):
    frames(tmp_path, "a.png", "b.png")
    for name, image in (("a", "a.png"), ("a_copy", "a.png"), ("b", "b.png")):
        write(tmp_path / f"{name}.json", labelme(image, shape(SQUARE)))
    reading = read_records(tmp_path)
    assert [record.name for record in reading.records] == ["b.png"]
    assert len(reading.faults) == 2
