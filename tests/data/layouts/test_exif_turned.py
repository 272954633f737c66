"""Truths of images that their EXIF orientation turns are read only where it is certain on which picture they lie."""

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.layouts.detection import read_records
from helpers.data.truth.truth_problem import texts
from tests.support.annotation_files import SQUARE, coco, write
from tests.support.field_data_sets import drawn, frame

TURNED = range(2, 9)


def turn(path, orientation):
    """Write the orientation into an image's EXIF; its pixels stay as they lie."""
    with Image.open(path) as image:
        image.load()
        exif = image.getexif()
        exif[0x0112] = orientation
        image.save(path, exif=exif)


def truth_of(root):
    (record,) = read_records(root).records
    return record.truth


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("size", [(48, 40), (44, 44)])
def test_a_mask_without_the_orientation_of_its_image(tmp_path, suffix, orientation, size):
    path = frame(tmp_path / "images" / f"a{suffix}", 1, size)
    turn(path, orientation)
    lies = orientation >= 5 and size[0] != size[1]
    (tmp_path / "masks").mkdir()
    drawn(1, size=size[::-1] if lies else size).save(tmp_path / "masks" / "a.png")
    truth, upright = truth_of(tmp_path), size[::-1] if lies else size
    if lies:  # the size says that it was drawn on the upright picture
        assert texts(truth.problems(*upright)) == () and truth.mask(*upright).any()
    else:
        assert "EXIF orientation" in texts(truth.problems(*upright))[0]
        with pytest.raises(RefusedInput, match="EXIF orientation"):
            truth.mask(*upright)


@pytest.mark.parametrize("orientation", (5, 6, 7, 8))
def test_a_mask_of_the_picture_as_it_lies_does_not_fit(tmp_path, orientation):
    turn(frame(tmp_path / "images" / "a.jpg", 1), orientation)
    (tmp_path / "masks").mkdir()
    drawn(1).save(tmp_path / "masks" / "a.png")
    truth = truth_of(tmp_path)
    assert "as it lies in its file" in texts(truth.problems(40, 48))[0]
    with pytest.raises(RefusedInput, match="as it lies in its file"):  # nor is it squeezed to the frame's size
        truth.rescaled_mask(40, 48)


@pytest.mark.parametrize("orientation", TURNED)
def test_a_mask_with_the_same_orientation_is_turned_with_its_image(tmp_path, orientation):
    turn(frame(tmp_path / "images" / "a.jpg", 1, (44, 44)), orientation)
    (tmp_path / "masks").mkdir()
    drawn(1, size=(44, 44)).save(tmp_path / "masks" / "a.png")
    turn(tmp_path / "masks" / "a.png", orientation)
    assert truth_of(tmp_path).mask(44, 44).any()


@pytest.mark.parametrize("orientation", [None, 0, 1])
def test_images_that_are_not_turned_are_left_alone(tmp_path, orientation):
    path = frame(tmp_path / "images" / "a.jpg", 1)
    if orientation is not None:
        turn(path, orientation)
    (tmp_path / "masks").mkdir()
    drawn(1).save(tmp_path / "masks" / "a.png")
    assert np.array_equal(truth_of(tmp_path).mask(48, 40), np.asarray(drawn(1)) > 0)


@pytest.mark.parametrize(
    ("orientation", "stated", "doubtful"),
    [(6, (40, 48), False), (6, (48, 40), False), (3, (48, 40), True), (2, None, True), (6, None, True)],
)
@pytest.mark.parametrize("named", ["folder", "file"])
def test_polygons_of_a_turned_image(tmp_path, orientation, stated, doubtful, named):
    turn(frame(tmp_path / "a.jpg", 1), orientation)
    image = {"id": 1, "file_name": "a.jpg", "width": None, "height": None}
    if stated is not None:
        image |= {"width": stated[0], "height": stated[1]}
    file = write(tmp_path / "all.json", coco([image], [{"image_id": 1, "segmentation": [SQUARE]}]))
    truth = truth_of(tmp_path if named == "folder" else file)
    upright = (40, 48) if orientation >= 5 else (48, 40)
    said = texts(truth.problems(*upright))
    assert any("nothing says" in problem for problem in said) is doubtful
    assert any("as it lies in its file" in problem for problem in said) is (not doubtful and stated != upright)
