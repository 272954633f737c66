"""Working copies of the notebooks: made once, renewed where nobody used them, never written over."""

import json
import shutil
from pathlib import Path

import pytest

from helpers.core.errors import RefusedInput
from helpers.core.paths import ROOT_VARIABLE
from helpers.notebook import working_copies as module
from helpers.notebook.kit_notebooks import SETTINGS, known_model
from helpers.notebook.parameter_cell import parameter_types
from helpers.notebook.working_copies import State, working_copies

SHIPPED = Path(__file__).resolve().parents[2] / "notebooks"


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
    assert module.main() == 0
    assert "  outputs/notebooks/02_infer.ipynb: copied\n" in capsys.readouterr().out
    (root / "outputs/notebooks/01_convert.ipynb").write_text("{")
    assert module.main() == 3 and "not readable as a notebook" in capsys.readouterr().err
