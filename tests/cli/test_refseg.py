"""`refseg` with the fixture's model."""

import json
import shutil

import pandas as pd
import pytest

from tests.support.fixture_model import convert_fixture
from tests.support.tiny_sources import FIXTURES

ARGUMENTS = ("refseg", "--model", "model", "--data", "data", "--output", "out")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(FIXTURES / "images/image_01.png", folder)
    square = [10, 10, 40, 10, 40, 40, 10, 40]
    entry = {"image": "image_01.png", "mask": [[square], [square]], "text": ["the blood vessels", "the catheter"]}
    (folder / "annotations.json").write_text(json.dumps([entry]))
    return folder


@pytest.mark.slow
def test_the_fixture_answers_each_expression(call, tmp_path, data):
    convert_fixture(tmp_path / "model")
    ended = call(*ARGUMENTS, "--ids", "keep", "--device", "cpu", "--prompt", "Please segment {expression}.")
    assert ended.code == 0, ended.err
    assert "2 expressions of 1 image;" in ended.out and "| gIoU |" in ended.out
    table = pd.read_parquet(tmp_path / "out/expressions.parquet")
    assert list(table["expression_id"]) == ["image_01-E01", "image_01-E02"]
    assert table["answer"].str.contains("SEG").iloc[0] and table["rle"].notna().iloc[0]


def test_what_cannot_work_is_said_at_once(call, tmp_path, data):
    ended = call(*ARGUMENTS)
    assert ended.code == 2 and "--model model: expected an existing" in ended.err
    (tmp_path / "model").mkdir()
    ended = call(*ARGUMENTS, "--prompt", "Segment it.")
    assert ended.code == 2 and "with {expression} in it" in ended.err
    assert call(*ARGUMENTS).code == 3 and not (tmp_path / "out").exists()
