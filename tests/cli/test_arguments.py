"""Relative paths typed on the command line mean the working directory."""

import os
from pathlib import Path

import pytest

from helpers.cli.arguments import input_path, optional_input_path, output_path, typed_path
from helpers.errors import UsageProblem
from helpers.paths import ROOT_VARIABLE


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, away from the project root."""
    for name in ("root", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "root"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_relative_inputs_start_where_the_user_is(here):
    (here / "a.pth").touch()
    assert input_path(Path("a.pth"), "CKPT") == here / "a.pth"
    assert optional_input_path(None, "--base") is None


def test_absolute_and_home_paths_stay_what_they_are(here):
    assert typed_path(Path("/data/a.pth")) == Path("/data/a.pth")
    assert typed_path(Path("~/a.pth")) == Path.home() / "a.pth"


def test_a_path_that_is_no_utf_8_is_refused(here):
    with pytest.raises(UsageProblem, match=r"here/d.r: expected a path in UTF-8, found other bytes in it. Rename"):
        typed_path(Path(os.fsdecode(b"d\xe4r")))


def test_an_absent_input_is_bad_usage(here):
    with pytest.raises(UsageProblem, match=r"^--base b: expected an existing file or folder, found none at .*here/b$"):
        optional_input_path(Path("b"), "--base")


def test_an_output_lies_outside_a_folder_of_data_and_may_lie_beside_an_annotation_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    (tmp_path / "train.json").write_text("[]")
    assert output_path(Path("run"), "--output", Path("set")) == tmp_path / "run"
    assert output_path(Path("runs/1"), "--output", Path("train.json")) == tmp_path / "runs" / "1"
    with pytest.raises(UsageProblem, match="--output set/run: expected a place outside the data set set"):
        output_path(Path("set/run"), "--output", Path("set"))
