"""Notebook parameters: everything wrong is listed at once, before any work."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, DirectoryPath, Field

from helpers.core import paths
from helpers.core.errors import UsageProblem
from helpers.notebook.parameters import validate


class Parameters(BaseModel):
    images: DirectoryPath
    threshold: float = Field(0.5, gt=0, lt=1)
    limit: int | None = None
    output: Path | None = None
    extra: list[Path] = []
    device: Literal["auto", "cpu"] = "auto"
    strict_flag: bool = False


def refused(**values) -> str:
    with pytest.raises(UsageProblem) as caught:
        validate(Parameters, {"images": "helpers", **values})
    return str(caught.value)


def test_relative_paths_start_at_the_project_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = validate(Parameters, {"images": "helpers", "output": "outputs/run", "extra": ["a", str(tmp_path)]})
    assert found.images == paths.project_root() / "helpers"
    assert found.output == paths.project_root() / "outputs" / "run"
    assert found.extra == [paths.project_root() / "a", tmp_path]
    assert found.threshold == 0.5 and found.limit is None


def test_a_misspelt_name_gets_the_nearest_one():
    assert "treshold: unknown parameter, did you mean threshold?" in refused(treshold=0.3)
    assert "zzz: unknown parameter, expected one of images, threshold" in refused(zzz=1)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("threshold", "0.3", "got '0.3' (str)"),
        ("threshold", 1.5, "less than 1"),
        ("limit", 2.0, "got 2.0 (float)"),
        ("limit", True, "got True (bool)"),
        ("strict_flag", 1, "got 1 (int)"),
        ("device", "gpu", "'auto' or 'cpu'"),
        ("output", 5, "got 5 (int)"),
        ("images", "", "got ''"),
    ],
)
def test_wrong_types_and_values_are_refused(name, value, words):
    message = refused(**{name: value})
    assert f"  {name}" in message and words in message


def test_a_path_may_be_given_as_a_path_and_an_int_for_a_float():
    class Numbers(BaseModel):
        images: DirectoryPath
        share: float

    found = validate(Numbers, {"images": Path("helpers"), "share": 1})
    assert found.images == paths.project_root() / "helpers" and found.share == 1.0


def test_missing_values_and_folders():
    with pytest.raises(UsageProblem, match="images: missing"):
        validate(Parameters, {})
    assert "does not point to a directory" in refused(images="no/such/folder")


def test_all_problems_come_in_one_error():
    lines = refused(treshold=0.3, limit="x", device="gpu", images="absent").splitlines()
    assert len(lines) == 5 and lines[0] == "parameters refused:"
