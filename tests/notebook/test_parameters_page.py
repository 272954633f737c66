"""docs/notebooks.md and the notebooks' cells of parameters are what the code says."""

import json
import shutil

import pytest

from helpers.notebook.kit_notebooks import SETTINGS
from helpers.notebook.parameter_table import cell_texts, reference_text, write_cells
from helpers.notebook.parameters import parameter_types
from tests.support.shipped_notebooks import INFER, NOTEBOOKS, ROOT


def test_the_page_equals_a_fresh_one():
    assert (ROOT / "docs/notebooks.md").read_text(encoding="utf-8") == reference_text(), "run: make docs"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_cell_equals_a_fresh_one_and_writing_it_changes_nothing_else(notebook, tmp_path):
    copy = tmp_path / notebook.name
    shutil.copy(notebook, copy)
    write_cells(copy, SETTINGS[notebook.stem])
    assert copy.read_bytes() == notebook.read_bytes(), "run: make docs"


def test_a_changed_cell_is_written_again(tmp_path):
    copy = tmp_path / INFER.name
    copy.write_text(INFER.read_text(encoding="utf-8").replace("threshold: float = 0.5", "threshold: float = 0.6"))
    assert parameter_types(copy)["threshold"] == ("float", "0.6")
    write_cells(copy, SETTINGS["02_infer"])
    assert json.loads(copy.read_text()) == json.loads(INFER.read_text())


def test_the_page_names_every_parameter_and_no_markup_is_lost():
    text = reference_text()
    for name, model in SETTINGS.items():
        section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert all(f"\n| `{one}` | " in section for one in model.model_fields)
        assert sum(text.count(" = ") for text in cell_texts(model).values()) == len(model.model_fields)
    assert "results go to outputs/&lt;project&gt;/ |" in text and "| number above 0, below 1 | `0.5` |" in text
