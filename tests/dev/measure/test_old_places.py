"""Lines such as `python -m scripts.fault_table`, which docs of version 0.1 quote, start what they started."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(path for path in (ROOT / "helpers/dev/measure").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_each_is_found_under_scripts_too(file):
    assert find_spec(f"scripts.{file.stem}").origin == str(file)


def test_the_package_of_scripts_imports_nothing_of_helpers():
    """The mutation check imports `helpers` from copies, in processes forked from one that has none of it."""
    code = "import scripts, sys; sys.exit(any(name.startswith('helpers') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
