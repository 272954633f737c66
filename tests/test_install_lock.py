"""What an environment lacks of a lock is installed with pip's own lines; of what it has, nothing is said."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "install_lock.sh"
PIP = """#!/bin/sh
case $1 in
  freeze) cat "{folder}/there" ;;
  --version) echo "pip {version} from elsewhere" ;;
  *) echo "asked: $*"; exit {code} ;;
esac
"""


PYTHON = """#!/bin/sh
exit {code}
"""


def install(folder, there, lock, version="26.0", code=0, loads=True):
    """What the script says with a pip of its own, and its exit code."""
    for name in ("bin", "lib/python3.11/site-packages"):
        (folder / name).mkdir(parents=True)
    (folder / "there").write_text("\n".join(there) + "\n")
    (folder / "bin" / "pip").write_text(PIP.format(folder=folder, version=version, code=code))
    (folder / "bin" / "python").write_text(PYTHON.format(code=0 if loads else 1))
    for name in ("pip", "python"):
        (folder / "bin" / name).chmod(0o755)
    (folder / "lock").write_text("# A comment.\n" + "\n".join(lock) + "\n")
    ran = subprocess.run(
        [SCRIPT, folder, folder / "lock"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder)},
    )
    return ran.returncode, ran.stdout.splitlines() + ran.stderr.splitlines()


@pytest.mark.parametrize("version", ["24.0", "25.0.1", "25.1", "26.0"])
def test_only_what_is_lacking_is_asked_for(tmp_path, version):
    code, said = install(tmp_path / "v", ["a==1", "pip==9"], ["a==1", "b==2", "c==3"], version)
    lock = tmp_path / "v" / "lock"
    assert code == 0
    assert said == [
        "installing 2 pinned packages: pip downloads first, then unpacks",
        f"asked: install --no-compile --constraint {lock} b==2 c==3",
        "compiling what was installed",
    ]
    assert sorted(path.name for path in (tmp_path / "v").iterdir()) == ["bin", "lib", "lock", "there"]


def test_nothing_is_asked_for_where_all_is_there(tmp_path):
    assert install(tmp_path / "v", ["a==1", "b==2"], ["a==1", "b==2"]) == (0, ["all pinned packages are there"])


def test_a_failure_of_pip_is_one(tmp_path):
    code, said = install(tmp_path / "v", [], ["a==1"], code=3)
    assert code == 3 and said[-1].endswith("a==1")


@pytest.mark.parametrize("there", [[], ["opencv-python==5.0"]])
@pytest.mark.parametrize("loads", [True, False])
def test_where_opencv_does_not_load_its_build_without_windows_takes_its_place(tmp_path, there, loads):
    code, said = install(tmp_path / "v", there, ["opencv-python==5.0"], loads=loads)
    instead = "asked: install --no-deps --force-reinstall opencv-python-headless==5.0"
    assert code == 0 and (said[-1] == instead) is not loads
