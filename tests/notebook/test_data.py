"""The data set of a notebook is opened as its parameters say."""

import json

import pytest
from PIL import Image

from helpers.errors import UsageProblem
from helpers.notebook.data import open_whole
from helpers.notebook.parameters import validate
from helpers.notebook.settings import InferSettings


def test_annotations_of_no_stated_size_are_scaled_on_request(tmp_path):
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    square = [0, 0, 8, 0, 8, 6, 0, 6]
    (tmp_path / "train.json").write_text(json.dumps([{"image": "a.png", "mask": [square], "text": ["vessel"]}]))
    given = {"project": "p", "data": str(tmp_path), "ids": "keep", "rescale_from": "16x12"}
    assert open_whole(validate(InferSettings, given)).cases[0].truth.mask(8, 6).sum() == 3 * 4
    with pytest.raises(UsageProblem, match=r"rescale_from: expected WIDTHxHEIGHT .*; got '16by12'"):
        validate(InferSettings, {**given, "rescale_from": "16by12"})
