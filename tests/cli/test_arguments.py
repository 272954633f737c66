"""Paths typed on the command line mean the project root."""

from pathlib import Path

import pytest

from helpers.cli.arguments import input_path, optional_input_path
from helpers.errors import UsageProblem
from helpers.paths import ROOT_VARIABLE


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project root, and another working directory."""
    for name in ("root", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "root"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "root"


def test_relative_inputs_start_at_the_root(root):
    (root / "a.pth").touch()
    assert input_path(Path("a.pth"), "CKPT") == root / "a.pth"
    assert optional_input_path(None, "--base") is None


def test_an_absent_input_is_bad_usage(root):
    with pytest.raises(UsageProblem, match=r"^--base b: expected an existing file or folder, found none at .*root/b$"):
        optional_input_path(Path("b"), "--base")


def test_a_file_of_the_working_directory_is_pointed_out(root):
    here = root.parent / "elsewhere" / "a.pth"
    here.touch()
    with pytest.raises(UsageProblem, match=f"Relative paths mean the project root, .*root; .*give it as {here}$"):
        input_path(Path("a.pth"), "CKPT")
