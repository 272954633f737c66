"""Working copies of the notebooks: made once, renewed where nobody used them, never written over."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from helpers.core import paths
from helpers.core.errors import RefusedInput
from helpers.core.paths import ROOT_VARIABLE
from helpers.notebook import project_folder as module
from helpers.notebook.kit_notebooks import SETTINGS, kit_notebook, known_model, named_notebook
from helpers.notebook.parameters import parameter_types
from helpers.notebook.project_folder import State, lay_out, working_copies

SHIPPED = Path(__file__).resolve().parents[2] / "notebooks"

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "notebooks")
    return tmp_path


def copied(root):
    """The state of 02's copy."""
    made = working_copies(root / "notebooks", root / "outputs/notebooks")
    assert [one.path.stem for one in made] == list(SETTINGS)
    return made[1].state


def change(notebook, edit):
    node = json.loads(notebook.read_text())
    edit(node)
    notebook.write_text(json.dumps(node))


def edit_cell(node):
    node["cells"][1]["source"] = ["x = 1"]


def add_output(node):
    cell = next(cell for cell in node["cells"] if cell["cell_type"] == "code")
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["found"]}]


def as_lab_stores_it(node):
    for cell in node["cells"]:
        cell["source"] = "".join(cell["source"])


def test_copies_are_made_once_and_hold_what_was_shipped(root):
    before = {path.name: path.read_bytes() for path in (root / "notebooks").iterdir()}
    assert copied(root) is State.NEW
    assert copied(root) is State.SAME
    assert {path.name: path.read_bytes() for path in (root / "notebooks").iterdir()} == before
    copy = root / "outputs/notebooks/02_infer.ipynb"
    assert known_model(parameter_types(copy)) is SETTINGS["02_infer"]
    shipped, own = (json.loads(path.read_text()) for path in (root / "notebooks/02_infer.ipynb", copy))
    assert own["cells"] == shipped["cells"] and own["metadata"].keys() - shipped["metadata"].keys()


@pytest.mark.parametrize("edit", [edit_cell, add_output])
def test_a_copy_that_was_used_is_kept_and_it_is_said_that_it_is_behind(root, edit):
    copied(root)
    copy = root / "outputs/notebooks/02_infer.ipynb"
    change(copy, edit)
    kept = copy.read_bytes()
    assert copied(root) is State.SAME
    change(root / "notebooks/02_infer.ipynb", lambda node: node["cells"].pop())
    assert copied(root) is State.BEHIND and copy.read_bytes() == kept
    copy.rename(copy.with_name("mine.ipynb"))
    assert copied(root) is State.NEW


def test_a_copy_that_nobody_used_follows_the_shipped_notebook(root):
    copied(root)
    change(root / "outputs/notebooks/02_infer.ipynb", as_lab_stores_it)
    change(root / "notebooks/02_infer.ipynb", lambda node: node["cells"].pop())
    assert copied(root) is State.RENEWED
    assert copied(root) is State.SAME


def test_a_notebook_of_ones_own_under_that_name_is_kept(root):
    copy = root / "outputs/notebooks/02_infer.ipynb"
    copy.parent.mkdir(parents=True)
    shutil.copy(root / "notebooks/02_infer.ipynb", copy)
    kept = copy.read_bytes()
    assert copied(root) is State.BEHIND and copy.read_bytes() == kept
    copy.write_text("{")
    with pytest.raises(RefusedInput, match="not readable as a notebook"):
        copied(root)


def test_it_is_said_where_they_are(root, monkeypatch, capsys):
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    assert module.main([]) == 0
    assert "  outputs/notebooks/02_infer.ipynb: copied\n" in capsys.readouterr().out
    assert module.main(["--language", "zh"]) == 0 and "02_infer.ipynb: renewed" in capsys.readouterr().out
    assert module.main(["--language", "zh"]) == 0 and "02_infer.ipynb: there\n" in capsys.readouterr().out
    copy = json.loads((root / "outputs/notebooks/02_infer.ipynb").read_text(encoding="utf-8"))
    assert copy["cells"][0]["source"].startswith("# 预测") and 'language: str = "zh"' in copy["cells"][2]["source"]
    (root / "outputs/notebooks/01_convert.ipynb").write_text("{")
    assert module.main([]) == 3 and "not readable as a notebook" in capsys.readouterr().err


def test_a_new_folder_is_a_project_with_notebooks_and_a_place_for_results(tmp_path, monkeypatch):
    made = lay_out(tmp_path / "mine")
    assert [(one.path.stem, one.state) for one in made.notebooks] == [(name, State.NEW) for name in SETTINGS]
    assert (tmp_path / "mine/outputs").is_dir() and (tmp_path / "mine/README.md").read_text().startswith("# mine\n")
    monkeypatch.delenv(paths.ROOT_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path / "mine/notebooks")
    assert paths.project_root() == tmp_path / "mine"


def test_again_keeps_what_was_edited(tmp_path):
    lay_out(tmp_path / "mine")
    edited, readme = tmp_path / "mine/notebooks/02_infer.ipynb", tmp_path / "mine/README.md"
    node = json.loads(edited.read_text())
    node["cells"][0]["source"] = ["mine"]
    edited.write_text(json.dumps(node))
    readme.write_text("mine")
    states = [one.state for one in lay_out(tmp_path / "mine").notebooks]
    assert states == [State.SAME] * 4  # the shipped notebook is the one that was copied
    assert json.loads(edited.read_text())["cells"][0]["source"] == ["mine"] and readme.read_text() == "mine"


def test_a_folder_of_other_files_and_a_file_are_refused(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a.png").touch()
    for name, found in (("full", "other files"), ("full/a.png", "found a file")):
        with pytest.raises(RefusedInput, match=rf"{re.escape(str(tmp_path / name))}: expected .*{found}"):
            lay_out(tmp_path / name)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["a.png"]


def test_the_projects_own_notebook_comes_before_the_kits(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    assert kit_notebook("02_infer") == named_notebook("notebooks/02_infer.ipynb") == ROOT / "notebooks/02_infer.ipynb"
    assert named_notebook("notebooks/mine.ipynb") == tmp_path / "notebooks/mine.ipynb"
    own = lay_out(tmp_path / "mine").folder
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(own))
    assert named_notebook("notebooks/02_infer.ipynb") == own / "notebooks/02_infer.ipynb"


@pytest.mark.slow
@pytest.mark.endurance  # `make test` builds a wheel in tests/api, and runs notebooks of a checkout
def test_a_wheel_lays_out_a_project_and_runs_a_notebook_in_an_empty_folder(tmp_path):
    """The wheel is first on the path, so that nothing of the checkout is imported or read."""
    wheel = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet"]
    copy = tmp_path / "source"  # a build leaves files beside the sources
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if name.startswith(("helpers/", "notebooks/")) or name in ("pyproject.toml", "README.md", "LICENSE"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(ROOT / name, copy / name, follow_symlinks=False)
    subprocess.run([*wheel, "--wheel-dir", tmp_path], cwd=copy, check=True, capture_output=True)
    (built,) = tmp_path.glob("vesselkit-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(tmp_path / "site")
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != paths.ROOT_VARIABLE}
    environment["PYTHONPATH"] = os.pathsep.join((str(tmp_path / "site"), os.environ["PYTHONPATH"]))

    def run(*command):
        given = {"cwd": empty, "env": environment, "capture_output": True, "text": True, "check": False}
        ended = subprocess.run([sys.executable, *map(str, command)], **given)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    vesselkit = ("-c", "from helpers.cli.app import main; main()")
    where = run("-c", "import helpers.core.paths as p; print(p.__file__, p.project_root())").split()
    assert where == [str(tmp_path / "site/helpers/core/paths.py"), str(empty)]
    assert "convert" in run(*vesselkit, "--help")
    said = run("-m", "helpers.notebook", "notebooks/01_convert.ipynb")  # of project demo, on the demo's checkpoint
    assert "results: outputs/demo/convert/" in said and list(empty.glob("outputs/demo/convert/*/conversion.json"))
    assert not (empty / "notebooks").exists()
    assert "notebooks/02_infer.ipynb: copied" in run(*vesselkit, "init", "mine")
    assert len(list((empty / "mine/notebooks").glob("*.ipynb"))) == 4
