"""Packages of extras: named where they are missing, and not needed for image files."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from helpers.core.errors import UsageProblem
from helpers.core.extras import EXTRAS, explain_missing_extras, needed
from tests.support.fixture_model import ENVIRONMENT
from tests.support.tiny_sources import FIXTURES

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import json, sys
for name in json.loads(sys.argv[1]):
    sys.modules[name] = None
from helpers.cli.app import main
main(sys.argv[2:])
"""


def without_extras(*arguments):
    names = json.dumps([name for names in EXTRAS.values() for name in names])
    command = [sys.executable, "-c", WITHOUT, names, *map(str, arguments)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_extras_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"dev"}


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageProblem, match=r"av: expected for videos .*pip install 'vesselkit\[video\]'"):
        needed("av")
    with pytest.raises(ModuleNotFoundError), explain_missing_extras():
        import no_package_of_that_name  # noqa: F401


@pytest.mark.slow
def test_image_files_are_predicted_and_scored_without_any_extra(fixture_folder, tmp_path):
    given = ("--data", FIXTURES, "--output")
    for command in (
        ("predict", "--model", fixture_folder, "--device", "cpu", "--limit", 2, *given, tmp_path / "run"),
        ("evaluate", "--predictions", tmp_path / "run", *given, tmp_path / "scores"),
    ):
        ended = without_extras(*command)
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "scores/summary.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "content", "extra"), [("a.dcm", bytes(128) + b"DICM" + bytes(64), "dicom"), ("a.mp4", b"0000", "video")]
)
def test_files_of_an_extra_name_it_in_one_line(fixture_folder, tmp_path, file, content, extra):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / file).write_bytes(content)
    given = ("predict", "--model", fixture_folder, "--data", tmp_path / "data", "--output", tmp_path / "run")
    ended = without_extras(*given)
    assert ended.returncode == 2 and f"pip install 'vesselkit[{extra}]'" in ended.stderr, ended.stderr
    assert sum("vesselkit[" in line for line in ended.stderr.splitlines()) == 1 and "Traceback" not in ended.stderr
