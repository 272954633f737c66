"""A golden test may be skipped only where the goldens are absent."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """\
import pytest

@pytest.mark.golden
def test_compares(shared):
    pytest.skip("too lazy")

@pytest.mark.golden
def test_known_fault(shared):
    pytest.xfail("known")

def test_other():
    pytest.skip("not golden")
"""


_ALONE = pytest.param(True, [], marks=pytest.mark.endurance)


@pytest.mark.slow
@pytest.mark.parametrize(("goldens", "options"), [_ALONE, (True, ["-n", "2"]), (False, [])])
def test_a_skipped_golden_test_fails_the_session_where_goldens_are(tmp_path, goldens, options):
    folder = tmp_path / "clone" / "tests"
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    shutil.copytree(Path(__file__).with_name("support") / "offline", folder / "support" / "offline")
    (folder / "test_it.py").write_text(TESTS)
    (tmp_path / "clone" / "pytest.ini").write_text("[pytest]\nmarkers = golden\n")
    if goldens:
        (tmp_path / "shared").mkdir()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    ended = subprocess.run(command, cwd=tmp_path / "clone", capture_output=True, text=True, check=False)
    assert ended.returncode == (1 if goldens else 0), ended.stdout + ended.stderr
    assert ("test_it.py::test_compares" in ended.stdout) is goldens
    assert "test_known_fault" not in ended.stdout
    assert "skipped" in ended.stdout.splitlines()[-1]
