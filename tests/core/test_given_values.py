"""What people give: words of which some are known, and paths by the name of a parameter."""

import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.given_values import (
    file_or_none,
    input_path,
    known_word,
    optional_input_path,
    output_folder,
    preset_or_file,
)
from helpers.core.vocabulary import Combine


def test_words_are_members_and_others_are_named():
    assert known_word(Combine, "best", "combine") is Combine.BEST
    with pytest.raises(UsageProblem, match="^combine: expected union, first, best, got 'all'$"):
        known_word(Combine, "all", "combine")


def test_paths_mean_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").touch()
    assert input_path("a.txt", "data") == tmp_path / "a.txt" and optional_input_path(None, "data") is None
    with pytest.raises(
        UsageProblem, match=f"^base b: expected an existing file or folder, found none at {tmp_path}/b$"
    ):
        optional_input_path("b", "base")
    with pytest.raises(RefusedInput, match="^output a.txt: expected a folder to write, found a file"):
        output_folder("a.txt", "output")


def test_some_words_are_no_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none").touch()
    (tmp_path / "sizes.json").touch()
    assert (file_or_none(None, "pretrained"), file_or_none("none", "pretrained")) == (None, "none")
    assert file_or_none("./none", "pretrained") == tmp_path / "none"
    assert (preset_or_file(None, "sizes"), preset_or_file("hiera_l", "sizes")) == (None, "hiera_l")
    assert preset_or_file("sizes.json", "sizes") == str(tmp_path / "sizes.json")
    with pytest.raises(UsageProblem, match="^--pretrained lost: expected an existing file"):
        file_or_none("lost", "--pretrained")
