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
# All commands in one process, since importing takes longest: [exit status, standard error] of each as JSON.
WITHOUT = """
import contextlib, io, json, sys
names, commands = json.loads(sys.argv[1])
for name in names:
    sys.modules[name] = None
from helpers.cli.app import main
ended = []
for command in commands:
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        try:
            main(command)
        except SystemExit as end:
            ended.append([end.code, said.getvalue()])
print(json.dumps(ended))
"""
EMPTY_CINE = bytes(128) + b"DICM" + bytes(64)


def without_extras(*commands):
    names = [name for names in EXTRAS.values() for name in names]
    given = json.dumps([names, [list(map(str, command)) for command in commands]])
    ended = subprocess.run([sys.executable, "-c", WITHOUT, given], env=ENVIRONMENT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


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
def test_image_files_need_no_extra_and_others_name_it_in_one_line(fixture_folder, tmp_path):
    others = {"dicom": ("a.dcm", EMPTY_CINE), "video": ("a.mp4", b"0000")}
    for extra, (name, content) in others.items():
        (tmp_path / extra).mkdir()
        (tmp_path / extra / name).write_bytes(content)
    predict = ("predict", "--model", fixture_folder, "--device", "cpu")
    given = ("--data", FIXTURES, "--output")
    *done, dicom, video = without_extras(
        (*predict, "--limit", 2, *given, tmp_path / "run"),
        ("evaluate", "--predictions", tmp_path / "run", *given, tmp_path / "scores"),
        *((*predict, "--data", tmp_path / extra, "--output", tmp_path / "other") for extra in others),
    )
    assert [status for status, _ in done] == [0, 0], done
    assert (tmp_path / "scores/summary.json").is_file()
    for (status, said), extra in ((dicom, "dicom"), (video, "video")):
        assert status == 2 and f"pip install 'vesselkit[{extra}]'" in said, said
        assert sum("vesselkit[" in line for line in said.splitlines()) == 1 and "Traceback" not in said
