"""The lock can be installed on every supported Python: each pin takes it, and has a wheel for it."""

import json
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = SpecifierSet(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
)
# First releases of each, the one that Debian 12 has, and the next after one that a package of the lock leaves out.
RELEASES = ("3.11.0", "3.11.2", "3.12.0", "3.13.0", "3.14.0", "3.14.2")
NEWEST = "3.14"


def installed_pins() -> dict[str, metadata.Distribution]:
    """Distributions of the lock that this environment has in the pinned version, by name."""
    found = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        there = None if line.startswith("#") else next(iter(metadata.distributions(name=name)), None)
        if there and there.version.split("+")[0] == version:
            found[name] = there
    return found


def is_compiled_for_one_python(distribution: metadata.Distribution) -> bool:
    tags = [line for line in distribution.read_text("WHEEL").splitlines() if line.startswith("Tag: ")]
    return not any("py3-none" in tag or "abi3" in tag for tag in tags)


def test_the_releases_are_in_the_range_and_the_ones_beside_it_are_not():
    assert all(SUPPORTED.contains(release) for release in RELEASES)
    assert not any(SUPPORTED.contains(release) for release in ("3.10.14", "3.14.1", "3.15.0"))


@pytest.mark.parametrize("release", RELEASES)
def test_every_pin_takes_every_supported_python(release):
    pins = installed_pins()
    wanted = {name: there.metadata.get("Requires-Python") or "" for name, there in pins.items()}
    assert wanted
    assert {name: range for name, range in wanted.items() if not SpecifierSet(range).contains(release)} == {}


# pip's own search, in a process that may use the network: it knows the index and the certificates of this machine. No
# command of pip looks for a wheel without fetching it, and all of them are a gigabyte.
SEARCH = """
import json, sys
from pip._internal.cli.cmdoptions import make_target_python
from pip._internal.commands import create_command
found = {}
for version, *pins in json.loads(sys.argv[1]):
    command = create_command("download")
    options, _ = command.parse_args(["--quiet", "--quiet", "--only-binary", ":all:", "--python-version", version])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session, target_python=make_target_python(options))
        for pin in pins:
            name, wanted = pin.split("==")
            there = {str(candidate.version).split("+")[0] for candidate in finder.find_all_candidates(name)}
            found[f"{pin} for {version}"] = wanted in there
print(json.dumps(found))
"""


@pytest.mark.bare
@pytest.mark.slow
@pytest.mark.releases
def test_every_compiled_pin_has_a_wheel_for_the_newest_python():
    pins = [f"{name}=={there.version.split('+')[0]}" for name, there in installed_pins().items()
            if is_compiled_for_one_python(there)]  # fmt: skip
    asked = [("3.9", "torch==2.13.0"), (NEWEST, *pins)]
    command = [sys.executable, "-I", "-c", SEARCH, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        pytest.skip(f"pip cannot search here: {done.stderr.strip().splitlines()[-1]}")
    found = json.loads(done.stdout)
    if not any(found.values()):
        pytest.skip("no registry is reached")
    missing = [asked for asked, there in found.items() if not there]
    assert missing == ["torch==2.13.0 for 3.9"]  # the one that shows that a missing wheel is noticed
