"""Relative paths mean the project root, and the latest complete result is found."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.core import paths
from helpers.core.errors import UsageProblem
from helpers.core.paths import Stage, followed

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv(paths.ROOT_VARIABLE, raising=False)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project root without code, named by the variable."""
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    return tmp_path


def make_checkout(folder):
    (folder / "helpers").mkdir(parents=True)
    (folder / "notebooks").mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "vesselkit"\n')
    return folder


@pytest.mark.parametrize("below", [".", "notebooks", "notebooks/deeper/still"])
def test_root_is_the_nearest_checkout_above(tmp_path, monkeypatch, below):
    checkout = make_checkout(tmp_path / "clone")
    (checkout / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(checkout / below)
    assert paths.project_root() == checkout
    assert paths.resolve("a/b.png") == checkout / "a" / "b.png"


def test_another_project_is_no_checkout(tmp_path, monkeypatch):
    (tmp_path / "helpers").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\ndependencies = ["vesselkit"]\n')
    monkeypatch.chdir(tmp_path)
    assert paths.project_root() == CHECKOUT


def test_from_an_unrelated_folder_the_root_is_the_checkout_of_the_package(tmp_path):
    code = "from helpers.core.paths import project_root; print(project_root())"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(CHECKOUT)


def test_installed_without_a_checkout_the_root_is_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages" / "helpers" / "paths.py"))
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    assert paths.project_root() == tmp_path / "mine"


def test_the_variable_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(make_checkout(tmp_path / "clone"))
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    assert paths.project_root() == tmp_path


def test_a_variable_that_names_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(UsageProblem, match=r"VESSELKIT_ROOT: expected an existing folder, got '.*gone'"):
        paths.project_root()


def test_absolute_paths_stay_and_home_is_expanded(root):
    assert paths.resolve(root / "x") == root / "x"
    assert paths.resolve("~/x") == Path.home() / "x"
    assert paths.resolve("~nobody.here or and/x") == root / "~nobody.here or and/x"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "./../b", "a\\b", "-rf", ".hidden", "a b", "a\n", "x" * 101])
def test_names_that_are_no_folder_names_are_refused(root, name):
    with pytest.raises(UsageProblem, match="project: expected a name of letters"):
        paths.stage_folder(name, Stage.PREDICT)
    with pytest.raises(UsageProblem, match="name: expected a name of letters"):
        paths.plain_name(name, "name")


def test_a_project_may_be_an_absolute_path(root, tmp_path):
    assert paths.stage_folder(str(tmp_path / "results"), Stage.PREDICT) == tmp_path / "results" / "predict"
    with pytest.raises(UsageProblem, match="name: expected a name of letters"):
        paths.plain_name("/a", "name")


def test_a_project_in_the_root_is_told_from_there(root, tmp_path):
    for folder, told in ((root / "outputs/study", "./outputs/study"), (root / "results", "./results")):
        assert paths.project_of(folder) == told
        assert paths.stage_folder(told, Stage.PREDICT) == folder / "predict"
    outside = tmp_path.parent / "elsewhere"
    assert paths.project_of(outside) == str(outside)


def test_stage_folders(root):
    assert paths.stage_folder("my-study_2.1", Stage.CONVERT) == root / "outputs" / "my-study_2.1" / "convert"
    assert {stage.value for stage in Stage} == {"convert", "predict", "evaluate", "review", "notebooks"}
    assert list(root.iterdir()) == []


def finish(folder, when, final):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / final).write_text("{}")
    os.utime(folder / final, (when, when))


@pytest.mark.parametrize(
    ("stage", "final"), [(Stage.CONVERT, "conversion.json"), (Stage.PREDICT, "manifest.json"),
                         (Stage.EVALUATE, "summary.json"), (Stage.REVIEW, "manifest.json")]
)  # fmt: skip
def test_latest_complete_ignores_unfinished_and_partial_folders(root, stage, final):
    folder = paths.stage_folder("study", stage)
    finish(folder / "z-old", 1000, final)
    finish(folder / "b-new", 2000, final)
    finish(folder / f"{paths.PARTIAL_PREFIX}c-1a2b", 3000, final)
    finish(folder / "d-unfinished", 4000, "something.json")
    assert paths.latest_complete("study", stage) == folder / "b-new"


def test_of_two_results_of_one_moment_the_last_name_wins(root):
    folder = paths.stage_folder("study", Stage.PREDICT)
    for name in ("b", "c", "a"):
        finish(folder / name, 1000, "manifest.json")
    assert paths.latest_complete("study", Stage.PREDICT).name == "c"


def test_where_the_clock_was_set_back_the_newest_of_several_must_be_named(root):
    folder = paths.stage_folder("study", Stage.PREDICT)
    finish(folder / "before", time.time() + 86_400, "manifest.json")
    assert paths.latest_complete("study", Stage.PREDICT).name == "before"
    finish(folder / "after", time.time(), "manifest.json")
    with pytest.raises(UsageProblem, match=r"before: is dated in the future.* which of 2 results .* Name the folder"):
        paths.latest_complete("study", Stage.PREDICT)
    finish(folder / "before", time.time() + 60, "manifest.json")  # by the clock of another machine
    assert paths.latest_complete("study", Stage.PREDICT).name == "before"


def test_without_a_result_the_message_says_what_to_run(root):
    with pytest.raises(UsageProblem, match=r"finished result of 'convert'.*run notebooks/01_convert.ipynb .*'study'"):
        paths.latest_complete("study", Stage.CONVERT)


def test_links_are_followed_and_those_that_lead_to_nothing_are_not(tmp_path):
    (tmp_path / "real").mkdir()
    for name, target in (("link", "real"), ("second", "link"), ("away", "nowhere"), ("loop", "loop")):
        (tmp_path / name).symlink_to(target)
    assert followed(tmp_path / "link") == followed(tmp_path / "second") == tmp_path / "real"
    assert followed(tmp_path / "link/new") == tmp_path / "link/new" and followed(tmp_path / "new") == tmp_path / "new"
    for name in ("away", "loop", "away/new", "loop/new"):
        with pytest.raises(UsageProblem, match=rf"{name.split('/')[0]} that leads to nothing \((nowhere|loop)\)"):
            followed(tmp_path / name)
