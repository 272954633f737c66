"""The lock is made from `pip freeze`."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def write_lock():
    spec = importlib.util.spec_from_file_location("write_lock", ROOT / "scripts" / "write_lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pins_are_sorted_without_local_versions_and_the_tools(write_lock):
    freeze = [
        "torch==2.13.0+cpu",
        "",
        "pip==24.0",
        "vesselkit @ file:///somewhere",
        "Addict==2.4.0",
        "setuptools==70.1",
    ]
    assert write_lock.pins(freeze) == ["Addict==2.4.0", "torch==2.13.0"]


@pytest.mark.parametrize("line", ["mine @ file:///somewhere", "-e git+ssh://host/x", "torch>=2"])
def test_what_is_no_pin_is_refused(write_lock, line):
    with pytest.raises(ValueError, match="expected name==version"):
        write_lock.pins([line])
