"""The viewer alone in a browser, without a notebook around it: `python -m helpers.notebook.serve -p data DATASET ...`.

Voila runs those cells of `04_review` that are tagged `served`, with the given parameters. It listens on this machine
only, and asks for a token that the opened address carries.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from voila.app import Voila

from helpers.core import paths
from helpers.core.errors import VesselkitError
from helpers.notebook.__main__ import typed_parameters
from helpers.notebook.kit_notebooks import check_values, kit_notebook
from helpers.notebook.parameters import INJECTED_TAG, PARAMETER_TAGS, parameter_types

SERVED_TAG = "served"
PORT = 8866

# Voila's own, without the style sheets that it takes from the network.
_TEMPLATE = """\
{%- extends 'lab/index.html.j2' -%}
{%- block notebook_css -%}
{%- for line in super().splitlines() if 'href="https://' not in line %}
{{ line }}
{%- endfor %}
{%- endblock -%}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the review until it is interrupted; the exit code is that of the kit's commands."""
    options = _parser().parse_args(arguments)
    try:
        values = typed_parameters(parameter_types(kit_notebook("04_review")), options.parameters)
    except VesselkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    serve(values, port=options.port, browser=not options.no_browser)
    return 0


def review_parameters(**given: Any) -> dict[str, Any]:
    """Values for the review's notebook, checked; paths as texts, without those that are None.

    Raises:
        UsageProblem: listing everything that is wrong.
    """
    values = {name: _plain(value) for name, value in given.items() if value is not None}
    check_values(parameter_types(kit_notebook("04_review")), values)
    return values


def serve(values: Mapping[str, Any], *, port: int = PORT, browser: bool = True) -> None:
    """Serve the review until it is interrupted.

    Args:
        values: parameters of the notebook.
        port: on this machine.
        browser: whether to open one; else the address alone is printed.
    """
    notebook = kit_notebook("04_review")
    with tempfile.TemporaryDirectory(prefix="vesselkit-review-") as folder:
        served = Path(folder) / notebook.name
        nbformat.write(served_notebook(notebook, values), served)
        template = Path(folder) / "voila" / "templates" / "vesselkit"
        template.mkdir(parents=True)
        (template / "conf.json").write_text('{"base_template": "lab"}', encoding="utf-8")
        (template / "index.html.j2").write_text(_TEMPLATE, encoding="utf-8")
        os.environ |= {paths.ROOT_VARIABLE: str(paths.project_root()), "JUPYTER_PATH": folder}
        command = [str(served), "--token", f"--port={port}", "--template=vesselkit"]
        # Asked to end in any way, Voila ends its kernels, and the folder goes.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        Voila.launch_instance(command + ([] if browser else ["--no-browser"]))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def served_notebook(notebook: Path, values: Mapping[str, Any]) -> nbformat.NotebookNode:
    """The cells of a notebook that are shown without it, with these parameters in them."""
    node = parameterize_notebook(load_notebook_node(str(notebook)), dict(values))
    kept = {SERVED_TAG, INJECTED_TAG, *PARAMETER_TAGS}
    node.cells = [cell for cell in node.cells if kept & set(cell.metadata.get("tags", []))]
    return node


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.notebook.serve",
        description="Review a run in the browser, without a notebook's code. Without -p data, that of `make demo`.",
    )
    parser.add_argument(
        "-p", nargs=2, metavar=("NAME", "VALUE"), action="append", default=[], dest="parameters",
        help="a parameter of notebooks/04_review.ipynb, such as: -p data DATASET -p reviewer ann",
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=PORT, help=f"default {PORT}")
    parser.add_argument("--no-browser", action="store_true", help="print the address alone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
