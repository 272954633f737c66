"""The cells of the shipped notebooks: parameters in the first two, prose around each figure, nothing executed."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from helpers.notebook.kit_notebooks import SETTINGS
from helpers.notebook.parameter_table import declared
from helpers.notebook.parameters import FIRST_TAG, PARAMETER_TAGS, parameter_types, validate
from tests.support.shipped_notebooks import (
    NOTEBOOKS,
    ROOT,
    parameters_cells,
)


@pytest.mark.parametrize("model", SETTINGS.values(), ids=SETTINGS)
def test_what_project_demo_takes_is_there(model):
    found = validate(model, {})
    given = [value for value in found.model_dump().values() if isinstance(value, Path)]
    assert given and all(path.exists() and path.is_relative_to(ROOT / "helpers/dev/demo/files") for path in given)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cell_has_at_most_eight_parameters_and_the_second_the_others(notebook):
    model = SETTINGS[notebook.stem]
    first, second = parameters_cells(nbformat.read(notebook, as_version=4))
    heading, *others = second.source.splitlines()
    names = [[line.partition(":")[0] for line in lines] for lines in (first.source.splitlines(), others)]
    assert names[0] == list(model.first_cell) and len(names[0]) <= 8
    assert names[1] == [name for name in model.model_fields if name not in model.first_cell]
    assert list(parameter_types(notebook)) == names[0] + names[1] and heading.startswith("# ")
    lines = [*first.source.splitlines(), *others]
    assert all(re.fullmatch(r"\w+: (str|float|int|list|bool) = \S.*  # .+", line) for line in lines)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_itself_passes_every_parameter(notebook):
    """What it injects stands behind both cells, so that neither takes it back."""
    given = {one.name: ["given", one.name] for one in declared(SETTINGS[notebook.stem])}
    node = parameterize_notebook(load_notebook_node(str(notebook)), given)
    code = [cell for cell in node.cells if cell.cell_type == "code"][:3]
    assert [cell.metadata.tags for cell in code] == [["first-parameters"], ["parameters"], ["injected-parameters"]]
    values = {}
    exec("\n".join(cell.source for cell in code), values)
    assert {name: values[name] for name in given} == given


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_clean(notebook):
    node = nbformat.read(notebook, as_version=4)
    nbformat.validate(node)
    code = [cell for cell in node.cells if cell.cell_type == "code"]
    assert node.metadata.kernelspec == {
        "name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"
    }  # fmt: skip
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in node.cells}) == len(node.cells)
    assert [cell.metadata.tags for cell in code[:2]] == [["first-parameters"], ["parameters"]]
    assert "read_parameters(" in code[2].source
    assert len(code) <= 16 and all(len(cell.source.splitlines()) <= 15 for cell in code[2:])
    assert not any(isinstance(found, ast.FunctionDef) for cell in code for found in ast.walk(ast.parse(cell.source)))
    for words in ("**Question:**", "**Inputs:**", "**Outputs:**", "**Minutes and memory:**"):
        assert words in node.cells[0].source


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_prose_stands_between_cells_and_explains_each_figure(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    figures = 0
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if cell.cell_type != "code":
            continue
        assert following is None or following.cell_type == "markdown" or cell.metadata.get("tags") == [FIRST_TAG]
        if "show_figure(" in cell.source or "show_and_save(" in cell.source:
            figures += 1
            assert "**How to read it:**" in following.source and "**How it misleads:**" in following.source
    assert figures >= 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_later_cell_assigns_a_parameter(notebook):
    names = set(parameter_types(notebook))
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code" and PARAMETER_TAGS.isdisjoint(cell.metadata.get("tags", [])):
            stored = {
                found.id
                for found in ast.walk(ast.parse(cell.source))
                if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)
            }
            assert not names & stored
