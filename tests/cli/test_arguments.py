"""Relative paths typed on the command line mean the working directory."""

import os
from functools import partial
from pathlib import Path

import pytest

from helpers.cli.arguments import (
    input_path,
    json_with,
    optional_input_path,
    output_file,
    output_folder,
    typed_path,
)
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.paths import ROOT_VARIABLE

OURS = json_with("one of ours", "cases", schema="ours")


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
    assert output_folder(Path("run"), "--output", Path("set")) == tmp_path / "run"
    assert output_folder(Path("runs/1"), "--output", Path("train.json")) == tmp_path / "runs" / "1"
    with pytest.raises(UsageProblem, match="--output set/run: expected a place outside the data set set"):
        output_folder(Path("set/run"), "--output", Path("set"))


def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RefusedInput, match="--output file: expected a folder to write, found a file"):
        output_folder(Path("file"), "--output")
    with pytest.raises(RefusedInput, match="--output folder: expected a file to write, found a folder"):
        output_file(Path("folder"), "--output", OURS)
    for place in ("file/below", "file/below/more"):
        with pytest.raises(RefusedInput, match="file: cannot be written"):
            output_folder(Path(place), "--output")


@pytest.mark.parametrize(
    "content",
    ["mine", "{", "[]", "null", '{"schema": "vesselkit.run"}', '{"cases": []}', '{"schema": "ours"}', "\x00\xff"],
)
def test_a_file_of_another_kind_is_not_written_over(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(RefusedInput, match="expected a new file, or one of ours to replace, found another file"):
        output_file(path, "--output", OURS)
    for allowed in ("", '{"schema": "ours", "cases": [1], "more": 2}'):
        path.write_text(allowed)
        assert output_file(path, "--output", OURS) == path
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RefusedInput, match="found another file"):
        output_file(path, "--output", OURS)


def test_a_link_is_followed_and_one_that_leads_to_nothing_is_not(tmp_path):
    for name in ("real", "real/below"):
        (tmp_path / name).mkdir()
    (tmp_path / "kept.json").write_text('{"schema": "ours", "cases": []}')
    targets = {"folder": "real", "file": "kept.json", "away": "nowhere", "loop": "loop", "up": "away"}
    for name, target in targets.items():
        (tmp_path / name).symlink_to(target)
    assert output_folder(tmp_path / "folder", "--output") == tmp_path / "real"
    assert output_folder(tmp_path / "folder/new", "--output") == tmp_path / "folder/new"
    assert output_file(tmp_path / "file", "--output", OURS) == tmp_path / "kept.json"
    for name in ("away", "loop", "up", "away/new", "loop/new/more"):
        for asked in (output_folder, partial(output_file, earlier=OURS)):
            with pytest.raises(UsageProblem, match="found the symbolic link .* that leads to nothing"):
                asked(tmp_path / name, "--output")
    with pytest.raises(UsageProblem, match="outside the data set"):
        output_folder(tmp_path / "folder", "--output", data=tmp_path / "real")
