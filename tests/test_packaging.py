"""The pinned versions, the package and the files of the checkout agree with each other."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import helpers

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def tracked_files():
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so that there is no list of tracked files")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in found if path.is_file()]


def test_only_vesselkit_provides_helpers():
    assert set(metadata.packages_distributions()["helpers"]) == {"vesselkit"}


def test_the_console_script_runs_our_main():
    assert PROJECT["scripts"] == {"vesselkit": "vesselkit:main"}
    (script,) = metadata.entry_points(group="console_scripts", name="vesselkit")
    # An environment that was made before `import vesselkit` starts the command itself, until it is installed anew.
    assert script.value in {"vesselkit:main", "helpers.cli.app:main"} and callable(script.load())


def test_the_listed_packages_are_those_of_the_tree():
    tree = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "helpers").rglob("__init__.py")}
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert setup["package-dir"] == {"vesselkit": "helpers/api"}
    assert setup["packages"] == sorted(tree - {"helpers.api"} | {"vesselkit"})


def test_the_version_is_the_same_everywhere():
    assert PROJECT["version"] == helpers.__version__ == metadata.version("vesselkit")


def test_the_lock_holds_plain_pins_only():
    assert pins().count("torch==2.13.0") == 1
    for line in pins():
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.]+", line), line
    locked = {line.split("==")[0].lower() for line in pins()}
    assert len(locked) == len(pins())
    assert not locked & {"vesselkit", "pip", "setuptools", "wheel"}


def test_the_lock_satisfies_every_requirement_of_the_package():
    locked = {Requirement(line).name.lower().replace("_", "-"): line.split("==")[1] for line in pins()}
    extras = {name: wanted for name, wanted in PROJECT["optional-dependencies"].items() if name != "grid"}  # clusters
    assert set(extras) == {"lab", "train", "dicom", "video", "dev"}
    for wanted in sum(extras.values(), PROJECT["dependencies"]):
        requirement = Requirement(wanted)
        assert requirement.specifier.contains(locked[requirement.name.lower().replace("_", "-")]), wanted


def test_the_supported_ranges_are_the_promised_ones():
    wanted = {Requirement(line).name: Requirement(line).specifier for line in PROJECT["dependencies"]}
    assert wanted["torch"] == ">=2.10"
    assert wanted["transformers"] == "<6,>=4.57"
    assert PROJECT["requires-python"] == ">=3.11,!=3.14.1,<3.15"


def test_the_conda_environment_installs_the_lock_and_the_package():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, section = environment["dependencies"]
    assert environment["channels"][0] == "conda-forge" and (python, pip) == (
        f"python{PROJECT['requires-python']}",
        "pip",
    )
    assert section == {"pip": [*pins(), "-e ."]}


def test_no_tracked_file_names_a_folder_or_an_index_of_one_machine():
    folders = "|".join(("work", "tmp", "root", "home", "opt", "Users"))
    hosts = "|".join(("pyth" + "onhosted", "pypi" + r"\.org", "download" + r"\.pytorch"))
    forbidden = re.compile(rf"(?<![\w.<>~)}}-])/(?:{folders})/|{hosts}".encode())
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tracked_files()
        if (match := forbidden.search(path.read_bytes()))
    ]
    assert found == []


def test_no_tracked_file_is_large_or_a_result():
    names = [path.relative_to(ROOT).as_posix() for path in tracked_files()]
    assert [name for name in names if name.startswith("outputs/")] in ([], ["outputs/.gitkeep"])
    # The demo model has a limit of its own, of all its files together.
    others = [name for name in names if not name.startswith("helpers/dev/demo/files/model/")]
    assert [name for name in others if (ROOT / name).stat().st_size > 5_000_000] == []


def test_make_help_names_the_targets():
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    targets = {line.split()[1] for line in shown.stdout.splitlines()}
    assert targets == {
        "help",
        "setup",
        "demo",
        "test",
        "quick",
        "releases",
        "lab",
        "review",
        "lint",
        "format",
        "lock",
        "wheels",
        "pythons",
        "docs",
        "pages",
        "clean",
    }


def test_importing_the_command_line_waits_for_no_large_library():
    code = (
        "import sys, helpers.cli.app; sys.exit(bool({'torch', 'numpy', 'pandas', 'matplotlib'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_versions_of_the_checks_before_a_commit_are_pinned_and_ruffs_is_the_locks():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    revisions = {repository["repo"].rpartition("/")[2]: repository.get("rev") for repository in config["repos"]}
    assert f"ruff=={revisions['ruff-pre-commit'].removeprefix('v')}" in pins()
    assert re.fullmatch(r"v\d+\.\d+\.\d+", revisions["codespell"])


def test_licence_citation_and_changelog_are_those_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"] and citation["license"] == PROJECT["license"] == "Apache-2.0"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").strip().startswith("Apache License")
    assert f"## [{PROJECT['version']}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
