"""The notebooks of the checkout, their cells of parameters, and what an executed copy shows."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from helpers.core.errors import VesselkitError
from helpers.notebook.parameters import PARAMETER_TAGS

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = tuple(
    ROOT / "notebooks" / f"{name}.ipynb" for name in ("01_convert", "02_infer", "03_evaluate", "04_review")
)
CONVERT, INFER, EVALUATE, REVIEW = NOTEBOOKS


def set_parameters(node: nbformat.NotebookNode, values: Mapping[str, Any]) -> None:
    """Edit the lines of these parameters, as people do."""
    for name, value in values.items():
        changed = 0
        for cell in parameters_cells(node):
            cell.source, count = re.subn(
                rf"(?m)^{name}: (\w+) = .*$", lambda m, v=value, n=name: f"{n}: {m[1]} = {v!r}", cell.source
            )
            changed += count
        assert changed == 1, name


def parameters_cells(node: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in node.cells if PARAMETER_TAGS & set(cell.metadata.get("tags", []))]


def run_here(notebook: Path, values: Mapping[str, Any]) -> int:
    """Run the code cells with these parameters in this process, which spares a kernel its start; returns their number.

    An error of the kit's gets the number of its cell as `cell`.
    """
    node = parameterize_notebook(load_notebook_node(str(notebook)), dict(values))
    variables: dict[str, Any] = {"__name__": "__main__"}
    sources = [cell.source for cell in node.cells if cell.cell_type == "code"]
    for number, source in enumerate(sources, 1):
        try:
            exec(compile(source, f"{notebook.name}, cell {number}", "exec"), variables)
        except VesselkitError as error:
            error.cell = number  # type: ignore[attr-defined]
            raise
    return len(sources)


def printed(node: nbformat.NotebookNode) -> str:
    outputs = [output for cell in node.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


def pictures(node: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for cell in node.cells for output in cell.get("outputs", []))
