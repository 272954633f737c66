"""The parameters that a notebook declares, read without the libraries that run notebooks, slow to load."""

import ast
import json
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput, UsageProblem

FIRST_TAG = "first-parameters"  # of a cell above that one, for what is needed most
PARAMETERS_TAG = "parameters"
PARAMETER_TAGS = frozenset({FIRST_TAG, PARAMETERS_TAG})
INJECTED_TAG = "injected-parameters"  # of papermill's, behind the first cell tagged `parameters`

_NOTEBOOK_FORMAT = 4


def read_notebook(notebook: Path) -> dict[str, Any]:
    """The JSON of a notebook.

    Raises:
        UsageProblem: where there is none.
        RefusedInput: for a file that is no notebook of format 4.
    """
    if not notebook.is_file():
        raise UsageProblem(f"{notebook}: expected a notebook, found none. Check the path")
    try:
        node = json.loads(notebook.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RefusedInput(f"{notebook}: not readable as a notebook ({error}). Restore the file") from error
    if not isinstance(node, dict) or node.get("nbformat") != _NOTEBOOK_FORMAT:
        raise RefusedInput(f"{notebook}: expected a notebook of format {_NOTEBOOK_FORMAT}. Save it in JupyterLab once")
    return node


def injected_values(notebook: Path) -> dict[str, Any]:
    """The parameters that an executed copy was run with, or was given since; none of another notebook.

    Raises as `read_notebook`, and RefusedInput where the cell holds other than plain values.
    """
    found: dict[str, Any] = {}
    for cell in read_notebook(notebook).get("cells", []):
        if INJECTED_TAG not in cell.get("metadata", {}).get("tags", []):
            continue
        try:
            found |= dict(_assigned(line) for line in ast.parse("".join(cell["source"])).body)
        except (SyntaxError, ValueError) as error:
            raise RefusedInput(
                f"{notebook}: expected lines such as limit = 4 with plain values in its cell tagged {INJECTED_TAG!r}. "
                "Correct it, or remove the cell"
            ) from error
    return found


def _assigned(line: ast.stmt) -> tuple[str, Any]:
    """Name and value of `limit = 4` or `limit: int = 4`. Raises ValueError for any other line: it would be lost."""
    match line:
        case ast.Assign(targets=[ast.Name(name)], value=value) | ast.AnnAssign(
            ast.Name(name), value=ast.expr() as value
        ):
            return name, ast.literal_eval(value)
    raise ValueError(ast.unparse(line))


def parameter_types(notebook: Path) -> dict[str, tuple[str, str]]:
    """Name -> (type, default as source text) of each parameter of a notebook, in order; type `None` where unstated.

    Raises as `read_notebook`, and RefusedInput where a cell of parameters is not Python.
    """
    found = {}
    for cell in read_notebook(notebook).get("cells", []):
        if PARAMETER_TAGS.isdisjoint(cell.get("metadata", {}).get("tags", [])):
            continue
        source = "".join(cell["source"])
        try:
            body = ast.parse(source).body
        except SyntaxError as error:
            raise RefusedInput(f"{notebook}: a cell of its parameters is not Python. Correct it") from error
        for line in body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
                found[line.target.id] = (ast.unparse(line.annotation), ast.get_source_segment(source, line.value) or "")
            elif isinstance(line, ast.Assign):
                default = ast.get_source_segment(source, line.value) or ""
                found |= {target.id: ("None", default) for target in line.targets if isinstance(target, ast.Name)}
    return found
