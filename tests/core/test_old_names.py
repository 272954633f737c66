"""Modules of 0.1 answer by their old names where docs named them, and otherwise say where to look."""

import importlib
import subprocess
import sys

import pytest

from helpers.core.old_names import MOVED
from tests.test_layers import MODULES


def test_every_new_name_is_a_module():
    assert set(MOVED.values()) <= MODULES.keys() and not set(MOVED) & MODULES.keys()


@pytest.mark.parametrize(
    ("old", "attribute"), [("helpers.runner", "Runner"), ("helpers.notebook.report", "write_report")]
)
def test_an_old_import_is_the_new_module(old, attribute):
    sys.modules.pop(old, None)
    with pytest.warns(FutureWarning, match=f"{old} is now {MOVED[old]}"):
        module = importlib.import_module(old)
    assert module is importlib.import_module(MOVED[old]) and hasattr(module, attribute)


@pytest.mark.slow
@pytest.mark.parametrize(
    "old",
    [
        pytest.param("helpers.runner.test", marks=pytest.mark.endurance),
        pytest.param("helpers.training.train", marks=pytest.mark.endurance),
        "helpers.notebook.report",
    ],
)
def test_an_old_command_runs_the_new_one(old):
    ran = subprocess.run([sys.executable, "-m", old, "--help"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0 and "usage" in ran.stdout.lower(), ran.stderr
    assert f"{old} is now {MOVED[old]}" in ran.stderr


def test_other_modules_of_then_say_where_to_look():
    with pytest.raises(ModuleNotFoundError, match=r"no module helpers\.paths: version 0\.2 moved it"):
        importlib.import_module("helpers.paths")
    with pytest.raises(ModuleNotFoundError, match="No module named 'helpers.nonsense'"):
        importlib.import_module("helpers.nonsense")
