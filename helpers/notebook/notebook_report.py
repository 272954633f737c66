"""An executed notebook as one HTML file that needs no network: `python -m helpers.notebook.notebook_report NOTEBOOK`.

A notebook cannot export itself before it has ended. So it names the report that it wants in an output
(`announce_report`), and whoever ran it writes that file: `execute_notebook` at once, people in JupyterLab with the
command above, once the notebook is saved.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.display import display

from helpers.core import paths
from helpers.core.atomic import write_text_atomic
from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.core.vocabulary import Language
from helpers.notebook.notebook_session import shown_path
from helpers.notebook.parameters import NOTEBOOK_FORMAT
from helpers.notebook.prose import Passage, Section, sections

if TYPE_CHECKING:  # what only announces a report waits for none of this
    from nbformat import NotebookNode

START, END = "page-start", "page-end"
_ABOUT = {Language.ENGLISH: "About this page", Language.CHINESE: "关于此页"}
_TITLE = re.compile(r"#[ \t]+\S[^\n]*")
_HEADING = re.compile(r'<h([1-3]) id="([^"]*)">(.*?)<a class="anchor-link"', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
STYLE = """\
<style>
main { max-width: 1480px; margin: 0 auto; }
.jp-InputPrompt, .jp-OutputPrompt { display: none; }
.jp-RenderedMarkdown { max-width: 1000px; }
.jp-RenderedMarkdown summary { cursor: pointer; color: #555; }
.contents { font: 14px/1.35 system-ui, sans-serif; color: #222; }
.contents ul { list-style: none; margin: 0.5rem 0; padding: 0; }
.contents li { margin: 0; }
.contents a { display: block; padding: 0.25rem 0.5rem; color: inherit; text-decoration: none; border-radius: 4px; }
.contents a:hover, .contents a:focus-visible { background: #e7eef7; text-decoration: underline; }
.contents .level-1 { font-weight: 600; }
.contents .level-3 { padding-left: 1rem; }
nav.contents { display: none; }
details.contents { margin: 0.75rem 1rem; padding: 0.5rem 0.75rem; border: 1px solid #ccc; border-radius: 6px; }
details.contents summary { cursor: pointer; font-weight: 600; }
.jp-RenderedImage img { cursor: zoom-in; height: auto; }
.jp-RenderedImage:has(img:focus) { overflow-x: auto; }
.jp-RenderedImage img:focus { max-width: none; cursor: auto; outline: 2px solid #0072b2; }
@media (min-width: 1100px) {
  details.contents { display: none; }
  nav.contents { display: block; position: fixed; inset: 0 auto 0 0; width: 15rem; overflow-y: auto;
    box-sizing: border-box; padding: 1rem 0.5rem; border-right: 1px solid #ddd; background: #fafafa; }
  main { margin-left: max(16rem, calc((100vw - 1480px) / 2)); margin-right: 1rem; }
}
@media print {
  nav.contents, details.contents { display: none; }
  main { margin: 0 auto; }
}
</style>
"""
REPORT_NAME = "evaluation.html"

_MIME = "application/vnd.vesselkit.report+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"
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
        f"{path}: written when this notebook was run by `python -m helpers.notebook` or `vesselkit grid`. "
        "In JupyterLab, save the notebook when it has ended, and run: "
        "python -m helpers.notebook.notebook_report notebooks/03_evaluate.ipynb"
    )
    display({_MIME: {"path": path}, "text/plain": text}, raw=True)


def write_report(executed: Path) -> Path | None:
    """Write the report that an executed notebook announces, and return its path; None where it announces none.

    Raises:
        RefusedInput: where the announced file is no HTML file in an existing folder below `outputs`, or below the
            folder of results that the notebook itself is in.
    """
    import nbformat

    node = nbformat.read(executed, as_version=NOTEBOOK_FORMAT)
    wanted = [found["data"][_MIME]["path"] for found in _outputs(node) if _MIME in found.get("data", {})]
    if not wanted:
        return None
    root = paths.project_root()
    results = executed.parents[1]
    scores = results / paths.Stage.EVALUATE.value
    places = ((root, root / "outputs"), (root, scores), (results, scores))
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


def report_html(node: "NotebookNode", title: str) -> str:
    """The notebook's prose and outputs as HTML that refers to nothing outside itself.

    Its cells stand in the order of `in_reading_order`, beside a list of contents. Code is left out, and so are progress
    bars and what went to the error stream.
    """
    import nbformat
    from nbconvert import HTMLExporter

    shown = nbformat.from_dict(node)
    shown.metadata.pop("widgets", None)
    shown.metadata["title"] = title
    for cell in shown.cells:
        if cell.cell_type == "code":
            cell.outputs = [found for found in cell.outputs if _is_shown(found)]
    shown.cells = in_reading_order(shown.cells)
    # Where nbconvert embeds pictures of the prose, it closes each fold at once.
    pictured = any(re.search(r"!\[|<img", cell.source) for cell in shown.cells if cell.cell_type == "markdown")
    exporter = HTMLExporter(raw_template=_TEMPLATE, exclude_input=True, embed_images=pictured)
    html, _ = exporter.from_notebook_node(shown)
    return with_contents(html)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report of one executed notebook; the exit code is that of the kit's commands."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.notebook.notebook_report", description="Write the HTML report of an executed notebook."
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


def _outputs(node: "NotebookNode") -> "list[NotebookNode]":
    return [found for cell in node.cells if cell.cell_type == "code" for found in cell.outputs]


def _is_shown(output: "NotebookNode") -> bool:
    if output.output_type == "stream":
        return output.name == "stdout"
    return not {_MIME, _WIDGET} & set(output.get("data", {}))


if __name__ == "__main__":
    sys.exit(main())


def in_reading_order(cells: "Sequence[NotebookNode]") -> "list[NotebookNode]":
    """Title, cells that begin the page, the others, cells that end it.

    Where cells begin the page, what stands under the title comes after them, under a heading of its own.
    """
    from nbformat.v4 import new_markdown_cell

    first = next((place for place, cell in enumerate(cells) if _is_titled(cell)), -1)
    begin, end = ([cell for cell in cells[first + 1 :] if tag in _tags(cell)] for tag in (START, END))
    others = [cell for cell in cells[first + 1 :] if not {START, END} & _tags(cell)]
    head = list(cells[: first + 1])
    if first >= 0 and begin:
        titled, (first_section, *further) = head[-1], sections(head[-1].source)
        title = {language: replace(one, text="") for language, one in first_section.passages.items()}
        head[-1] = new_markdown_cell(Section(first_section.marks, title).to_text(), id=titled.id)
        about = {language: Passage(_ABOUT[language], one.text) for language, one in first_section.passages.items()}
        if further or any(one.text for one in about.values()):
            text = "\n\n".join(section.to_text() for section in (Section("##", about), *further))
            begin.append(new_markdown_cell(text, id=f"{titled.id}-about"))
    return [*head, *begin, *others, *end]


def with_contents(html: str) -> str:
    """A page with a list of its headings: at its side in a wide window, folded on top in a narrow one."""
    links = "\n".join(
        f'<li class="level-{level}"><a href="#{place}">{_plain(text)}</a></li>'
        for level, place, text in _HEADING.findall(html)
    )
    if not links:
        return html
    return html.replace(
        "<main>",
        f'<nav class="contents" aria-label="Contents">\n<ul>\n{links}\n</ul>\n</nav>\n'
        f'<details class="contents">\n<summary>Contents</summary>\n<ul>\n{links}\n</ul>\n</details>\n<main>',
        1,
    )


def _is_titled(cell: "NotebookNode") -> bool:
    return cell.cell_type == "markdown" and _TITLE.match(cell.source.strip()) is not None


def _tags(cell: "NotebookNode") -> set[str]:
    return set(cell.metadata.get("tags", ()))


def _plain(heading: str) -> str:
    """A heading as it is rendered, without the marks in it; its text stays escaped."""
    return " ".join(_TAG.sub("", heading).split())
