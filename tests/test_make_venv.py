"""`make` takes the newest supported Python that works, and says what to do where there is none."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts/make_venv.sh"
# The real interpreter under another version, without the modules in `lacks`; `-m venv FOLDER` copies it there.
FAKE = """\
#!/bin/sh
[ "$2" = venv ] && mkdir -p "$3/bin" && exec cp "$0" "$3/bin/python"
shift 2
exec {python} -I -c '
import sys
from importlib import util
sys.version_info = {version}
find = util.find_spec
util.find_spec = lambda name: None if name in {lacks} else find(name)
code = sys.argv.pop(1)
exec(code)
' "$@"
"""


@pytest.fixture
def machine(tmp_path):
    """A folder of programs, the whole PATH: `machine(name, version, lacks=...)` adds a Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cp", "mkdir"):
        (folder / name).symlink_to(shutil.which(name))

    def add(name, version=None, lacks=()):
        text = "#!/bin/sh\necho no such version >&2\nexit 127\n"
        if version:
            numbers = tuple(map(int, version.split(".")))
            text = FAKE.format(python=sys.executable, version=numbers, lacks=json.dumps(lacks))
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return add


@pytest.fixture
def make_venv(tmp_path, machine):
    def run(*arguments):
        return subprocess.run(
            [SCRIPT, *arguments], cwd=tmp_path, env=os.environ | {"PATH": str(tmp_path / "bin")},
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    return run


def refused(done):
    """What a refusal says; each is an exit status of 2 and nothing on the other stream."""
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("make: ")
    return done.stderr


def test_the_newest_that_starts_is_taken_and_named(machine, make_venv, tmp_path):
    machine("python3.14")  # a shim without a version behind it
    for version in ("3.13.5", "3.12.1", "3.11.2"):
        machine(f"python{version[:4]}", version)
    done = make_venv("env")
    assert done.stdout == "setting up env with python3.13 (Python 3.13.5): once, some minutes\n" and not done.stderr
    assert (tmp_path / "env/bin/python").exists()


@pytest.mark.parametrize("version", ["3.11.0", "3.12.13", "3.13.0", "3.14.0", "3.14.2", "3.10.14", "3.14.1", "3.15.0"])
def test_a_plain_python3_is_taken_where_the_package_supports_it(machine, make_venv, version):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    machine("python3", version)
    done = make_venv("env")
    if SpecifierSet(project["requires-python"]).contains(version):
        assert f"with python3 (Python {version})" in done.stdout
    else:
        assert f"; python3 is Python {version}." in refused(done)


def test_a_machine_without_python_is_told_what_to_install(make_venv):
    told = refused(make_venv("env"))
    assert "vesselkit needs Python 3.11 to 3.14" in told
    assert "sudo apt install python3 python3-venv\n" in told and "make PYTHON=" in told


def test_a_python_without_venv_gives_way_to_an_older_one(machine, make_venv):
    machine("python3.13", "3.13.5", lacks=["ensurepip"])
    machine("python3.11", "3.11.2")
    assert "with python3.11 (Python 3.11.2); python3.13 lacks venv and was passed over" in make_venv("env").stdout


@pytest.mark.parametrize("lacks", ["venv", "ensurepip"])
def test_the_package_of_debian_is_named_where_venv_is_missing(machine, make_venv, tmp_path, lacks):
    machine("python3", "3.13.5", lacks=[lacks])
    told = refused(make_venv("env"))
    assert "python3 (Python 3.13.5) lacks venv" in told and told.endswith("sudo apt install python3.13-venv\n")
    assert not (tmp_path / "env").exists()


def test_a_named_python_is_taken_or_refused_by_its_name(machine, make_venv):
    machine("python3.13", "3.13.5")
    machine("mine", "3.12.1")
    machine("old", "3.9.2")
    assert "env with mine (Python 3.12.1)" in make_venv("env", "mine").stdout
    assert "PYTHON=old is Python 3.9.2; vesselkit needs Python 3.11 to 3.14" in refused(make_venv("other", "old"))
    assert refused(make_venv("other", "absent")) == "make: PYTHON=absent does not start\n"


def test_an_environment_stays_when_a_newer_python_appears(machine, make_venv, tmp_path):
    machine("python3.11", "3.11.2")
    make_venv("env")
    before = (tmp_path / "env/bin/python").read_text()
    machine("python3.13", "3.13.5")
    done = make_venv("env")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "env/bin/python").read_text() == before
    assert make_venv("env", "python3.11").returncode == 0
    told = refused(make_venv("env", "python3.13"))
    assert "PYTHON=python3.13 is Python 3.13.5, and the environment env has 3.11.2" in told
    assert "rm -r env" in told and "make VENV=.venv-3.13" in told


def test_an_environment_that_cannot_serve_is_told_with_the_remedy(machine, make_venv, tmp_path):
    machine("python3", "3.13.5", lacks=["pip"])
    make_venv("cut")
    assert "cut has no pip: its set-up was cut. Remove it (rm -r cut)" in refused(make_venv("cut"))
    (tmp_path / "gone/bin").mkdir(parents=True)
    (tmp_path / "gone/bin/python").symlink_to(tmp_path / "no-such-python")
    assert "the Python of the environment gone does not start" in refused(make_venv("gone"))
    machine("python3", "3.13.5")
    make_venv("old")
    machine("python3", "3.10.1")
    shutil.copy(tmp_path / "bin/python3", tmp_path / "old/bin/python")
    assert "the environment old has Python 3.10.1; vesselkit needs" in refused(make_venv("old"))
