"""Masks of other tools as files for an import."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Exchange
from helpers.prediction.imports.unpacked_masks import unpacked


def coco(path, *names):
    """Images of 3 x 2 pixels under these names, each with its first column drawn."""
    code = {"size": [2, 3], "counts": [0, 2, 4]}
    value = {
        "images": [{"id": place, "file_name": name, "width": 3, "height": 2} for place, name in enumerate(names)],
        "categories": [{"id": 1, "name": "vessel"}],
        "annotations": [
            {"id": place, "image_id": place, "category_id": 1, "segmentation": code} for place in range(len(names))
        ],
    }
    path.write_text(json.dumps(value))
    return path


def test_files_have_the_names_of_their_images_and_are_gone_afterwards(tmp_path):
    with unpacked(coco(tmp_path / "a.json", "../p1/x.png", "/y.jpg"), Exchange.COCO, ()) as (folder, given):
        found = {path.relative_to(folder).as_posix(): np.asarray(Image.open(path)) for path in folder.rglob("*.png")}
    assert found.keys() == {"p1/x.png", "y.png"} and len(given.masks) == 2 and not folder.exists()
    assert found["y.png"].tolist() == [[255, 0, 0], [255, 0, 0]]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("x.png", "x.jpg"), "found two of 'x'"),
        (("a\0b.png",), "control character|NUL"),
    ],
)
def test_names_that_are_not_one_files_are_refused(tmp_path, names, words):
    with pytest.raises(RefusedInput, match=words), unpacked(coco(tmp_path / "a.json", *names), Exchange.COCO, ()):
        pytest.fail("reached")
