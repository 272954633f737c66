"""An executed notebook as one HTML file that needs no network: `python -m helpers.notebook.report NOTEBOOK`.

A notebook cannot export itself before it has ended. So it names the report that it wants in an output
(`announce_report`), and whoever ran it writes that file: `execute_notebook` at once, people in JupyterLab with the
command above, once the notebook is saved.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from IPython.display import display
from nbconvert import HTMLExporter

from helpers import paths
from helpers.atomic import write_text_atomic
from helpers.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.notebook.reading_order import STYLE, in_reading_order, with_contents
from helpers.notebook.session import shown_path

REPORT_NAME = "evaluation.html"

_MIME = "application/vnd.vesselkit.report+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_NOTEBOOK_FORMAT = 4
# Without the scripts that the template would take from the network: module loader, formulas, diagrams, widgets. Of
# pictures the template drops the alternative text, which nbconvert then misses.
_TEMPLATE = (
    """\
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block extra_css -%}
<link rel="icon" href="data:,">
{%- endblock -%}
{%- block html_head_css -%}
"""
    + STYLE
    + """
{%- endblock -%}
{%- macro told(html, alt) -%}
{%- set words = '' if alt is none else ' alt="' ~ (alt | escape_html) ~ '"' -%}
{{ html | replace('<img ', '<img' ~ words ~ ' tabindex="0" ', 1) }}
{%- endmacro -%}
{%- block data_png scoped -%}{{ told(super(), output | get_metadata('alt', 'image/png')) }}{%- endblock -%}
{%- block data_jpg scoped -%}{{ told(super(), output | get_metadata('alt', 'image/jpeg')) }}{%- endblock -%}
"""
)


def announce_report(folder: Path) -> None:
    """Display where the report of this notebook goes, and how it comes to be there."""
    path = _announced(folder / REPORT_NAME)
    text = (
        f"{path}: written when this notebook was run by `python -m helpers.notebook` or `vesselkit run`. "
        "In JupyterLab, save the notebook when it has ended, and run: "
        "python -m helpers.notebook.report notebooks/03_evaluate.ipynb"
    )
    display({_MIME: {"path": path}, "text/plain": text}, raw=True)


def write_report(executed: Path) -> Path | None:
    """Write the report that an executed notebook announces, and return its path; None where it announces none.

    Raises:
        RefusedInput: where the announced file is no HTML file in an existing folder below `outputs`, or below the
            folder of results that the notebook itself is in.
    """
    node = nbformat.read(executed, as_version=_NOTEBOOK_FORMAT)
    wanted = [found["data"][_MIME]["path"] for found in _outputs(node) if _MIME in found.get("data", {})]
    if not wanted:
        return None
    root = paths.project_root()
    results = executed.parents[1]
    places = ((root, root / "outputs"), (results, results / paths.Stage.EVALUATE.value))
    found = [(base / wanted[-1]).resolve() for base, limit in places if _is_below(base / wanted[-1], limit)]
    path = next((one for one in found if one.parent.is_dir()), None)
    if path is None or path.suffix != ".html":
        raise RefusedInput(
            f"{executed.name}: expected its report to be an HTML file in an existing folder of outputs, got "
            f"{wanted[-1]!r}. Run the notebook again"
        )
    write_text_atomic(path, report_html(node, path.stem))
    return path


def _announced(path: Path) -> str:
    """The report's place from the project root, or from the folder of results where that lies elsewhere."""
    if path.is_relative_to(paths.project_root()):
        return shown_path(path)
    return path.relative_to(path.parents[2]).as_posix()


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def report_html(node: nbformat.NotebookNode, title: str) -> str:
    """The notebook's prose and outputs as HTML that refers to nothing outside itself.

    Its cells stand in the order of `in_reading_order`, beside a list of contents. Code is left out, and so are progress
    bars and what went to the error stream.
    """
    shown = nbformat.from_dict(node)
    shown.metadata.pop("widgets", None)
    shown.metadata["title"] = title
    for cell in shown.cells:
        if cell.cell_type == "code":
            cell.outputs = [found for found in cell.outputs if _is_shown(found)]
    shown.cells = in_reading_order(shown.cells)
    exporter = HTMLExporter(raw_template=_TEMPLATE, exclude_input=True, embed_images=True)
    html, _ = exporter.from_notebook_node(shown)
    return with_contents(html)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report of one executed notebook; the exit code is that of the kit's commands."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.notebook.report", description="Write the HTML report of an executed notebook."
    )
    parser.add_argument("notebook", help="saved with its outputs, for instance notebooks/03_evaluate.ipynb")
    options = parser.parse_args(arguments)
    try:
        notebook = paths.resolve(options.notebook)
        if not notebook.is_file():
            raise UsageProblem(f"{notebook}: expected a notebook, found none. Check the path")
        written = write_report(notebook)
        if written is None:
            raise UsageProblem(
                f"{notebook.name}: names no report in its outputs. Run it to its end and save it, then call this again"
            )
    except VesselkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stderr.write(f"report: {shown_path(written)}\n")
    return 0


def _outputs(node: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [found for cell in node.cells if cell.cell_type == "code" for found in cell.outputs]


def _is_shown(output: nbformat.NotebookNode) -> bool:
    if output.output_type == "stream":
        return output.name == "stdout"
    return not {_MIME, _WIDGET} & set(output.get("data", {}))


if __name__ == "__main__":
    sys.exit(main())
