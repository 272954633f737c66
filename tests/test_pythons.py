"""Each Python at hand is tried in a clean clone."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.pythons import NAMES, STEPS, Step, try_python, versions

STARTS = Step("starts", ("{python}", "-c", "print('hello')"))
FAILS = Step("fails", (sys.executable, "-c", "raise SystemExit(3)"))


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", folder]
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    (folder / "committed.txt").write_text("a")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "one"], check=True)
    (folder / "beside.txt").write_text("not committed")
    return folder


def test_pythons_that_do_not_start_are_left_out(tmp_path):
    shim = tmp_path / "shim"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert versions([sys.executable, str(shim), "no-such-python"]) == {sys.executable: sys.version.split()[0]}


def test_steps_run_in_a_clone_that_goes_when_they_passed(source, tmp_path, capsys):
    listed = Step("list", ("ls", "--"))
    assert try_python(source, sys.executable, tmp_path / "3.13.5", [STARTS, listed])
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"3\.13\.5 +starts +\d+ s +passed: hello", first)
    assert second.endswith("passed: committed.txt")  # and nothing beside it
    assert sorted(path.name for path in (tmp_path / "3.13.5").iterdir()) == ["list.log", "starts.log"]


def test_a_step_that_fails_ends_it_and_leaves_the_clone(source, tmp_path, capsys):
    assert not try_python(source, sys.executable, tmp_path / "3.13.5", [FAILS, STARTS])
    assert "FAILED with 3" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "3.13.5").iterdir()) == ["clone", "fails.log"]


def test_the_steps_are_those_of_the_makefile_and_the_names_those_that_make_looks_for():
    root = Path(__file__).resolve().parents[1]
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = [step.command[1] for step in STEPS]
    assert targets == ["setup", "demo", "quick"] and all(f"\n{target}:" in makefile for target in targets)
    assert f"set -- {' '.join(NAMES)} python3;" in (root / "scripts/make_venv.sh").read_text(encoding="utf-8")
