"""How a data set is opened, in plain words."""

import json

import pytest
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.opening import Opening
from helpers.data.rules import Rules
from helpers.notebook.parameters import validate
from helpers.notebook.settings import InferSettings


@pytest.fixture
def data(tmp_path):
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    square = [0, 0, 8, 0, 8, 6, 0, 6]
    (tmp_path / "train.json").write_text(json.dumps([{"image": "a.png", "mask": [square], "text": ["vessel"]}]))
    return tmp_path


def test_annotations_of_no_stated_size_are_scaled_on_request(data):
    opened = Opening(data, ids="keep", rescale_from="16x12").open()
    assert opened.ids is IdPolicy.KEEP
    assert opened.cases[0].truth.mask(8, 6).sum() == 3 * 4
    assert opened.identity == {"layout": "sa2va", "ids": "keep", "key_fingerprint": None}


def test_a_notebook_opens_it_as_its_parameters_say(data):
    given = {"project": "p", "data": str(data), "ids": "keep", "rescale_from": "16x12"}
    assert validate(InferSettings, given).opening == Opening(data, ids="keep", rescale_from="16x12")
    with pytest.raises(UsageProblem, match=r"rescale_from: expected WIDTHxHEIGHT .*; got '16by12'"):
        validate(InferSettings, {**given, "rescale_from": "16by12"})


def test_the_layout_of_a_folder_is_kept_that_of_an_annotation_file_is_its_own(data):
    for path, kept in ((data, "sa2va"), (data / "train.json", None)):
        opening = Opening(path, ids="keep")
        assert opening.to_keep(opening.open(), Rules()).layout == kept


def test_words_that_mean_nothing_are_refused(data):
    with pytest.raises(UsageProblem, match="ids: expected keep or pseudonym, got 'public'"):
        Opening(data, ids="public").open()
    with pytest.raises(UsageProblem, match="rescale-from: expected WIDTHxHEIGHT"):
        Opening(data, ids="keep", rescale_from="16by12").open()


def test_what_is_shown_of_it_names_no_path(data):
    assert str(data) not in repr(Opening(data, id_key=data / "id.key"))
