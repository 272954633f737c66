"""The HTML report of an executed notebook: self-contained, without code, and only where results go."""

import base64
import json
import re

import nbformat
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.core import paths
from helpers.core.errors import RefusedInput
from helpers.notebook import notebook_report
from helpers.notebook.execution import execute_notebook
from helpers.review.figures.figure_file import png_bytes
from tests.support.browser import look_at

WANTED = "outputs/demo/evaluate/a/evaluation.html"
_MIME = "application/vnd.vesselkit.report+json"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    (tmp_path / "outputs/demo/evaluate/a").mkdir(parents=True)
    return tmp_path.resolve()


def executed(path=WANTED, announced=True):
    """A notebook with a picture, a table, a progress bar, an error stream, and the announcement."""
    picture = base64.b64encode(png_bytes(Figure(figsize=(2, 1)))).decode()
    outputs = [
        new_output("stream", name="stdout", text="printed words"),
        new_output("stream", name="stderr", text="to the error stream"),
        new_output("display_data", data={"image/png": picture}, metadata={"image/png": {"alt": "a <plain> figure"}}),
        new_output("display_data", data={"text/html": "<table><tr><td>0.781</td></tr></table>"}),
        new_output(
            "display_data",
            data={"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "bar 0%"},
        ),
    ]
    if announced:
        outputs.append(new_output("display_data", data={_MIME: {"path": path}, "text/plain": "written at the end"}))
    cells = [new_markdown_cell("# Title\n\n**How to read it:** so."), new_code_cell("secret = 1", outputs=outputs)]
    node = new_notebook(cells=cells)
    node.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2}}
    return node


def write(root, node):
    path = root / "executed.ipynb"
    nbformat.write(node, path)
    return path


def test_the_report_is_where_the_notebook_says_and_needs_no_network(root):
    written = notebook_report.write_report(write(root, executed()))
    assert written == root / WANTED
    html = written.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:|#)|@import|url\((?!["']?data:)""", html)
    assert "<script" not in html and "cdn" not in html.lower()
    for words in ("Title", "printed words", "0.781", "data:image/png;base64"):
        assert words in html
    for words in ("secret", "to the error stream", "bar 0%", "written at the end", str(root)):
        assert words not in html


@pytest.mark.slow
def test_a_browser_shows_it(root):
    seen = look_at(notebook_report.write_report(write(root, executed())))
    assert not seen.console and not seen.asked and not seen.failed
    assert len(seen.widths) == 1 and seen.widths[0] > 100 and "0.781" in seen.text


def test_pictures_keep_their_alternative_text_and_nothing_is_warned_of(root, caplog):
    html = notebook_report.write_report(write(root, executed())).read_text(encoding="utf-8")
    assert re.findall(r'<img alt="([^"]*)"', html) == ["a &lt;plain&gt; figure"]
    assert not caplog.records


def test_a_notebook_that_announces_nothing_gets_no_report(root):
    assert notebook_report.write_report(write(root, executed(announced=False))) is None
    assert not list((root / "outputs").rglob("*.html"))


@pytest.mark.parametrize("path", ["outputs/../evaluation.html", "README.md", "outputs/demo/a.txt", "outputs/no/a.html"])
def test_a_report_elsewhere_is_refused(root, path):
    with pytest.raises(RefusedInput, match="expected its report"):
        notebook_report.write_report(write(root, executed(path)))


def test_results_in_a_folder_of_the_project_beside_outputs_have_their_report(root):
    """As `vesselkit pipeline --output results` leaves them, in a folder without a checkout."""
    path = root / "results/notebooks/03.ipynb"
    for name in ("notebooks", "evaluate/model"):
        (root / "results" / name).mkdir(parents=True)
    nbformat.write(executed("results/evaluate/model/evaluation.html"), path)
    assert notebook_report.write_report(path) == root / "results/evaluate/model/evaluation.html"


def test_the_command(root, capsys):
    assert notebook_report.main([str(write(root, executed()))]) == 0 and WANTED in capsys.readouterr().err
    assert notebook_report.main([str(write(root, executed(announced=False)))]) == 2
    assert "names no report" in capsys.readouterr().err
    assert notebook_report.main([str(root / "absent.ipynb")]) == 2 and "found none" in capsys.readouterr().err


@pytest.mark.slow
def test_the_runner_writes_the_report_of_what_it_ran(root):
    source = (
        "from pathlib import Path\nfrom helpers.notebook.notebook_report import announce_report\n"
        f"print('words')\nannounce_report(Path({json.dumps(str((root / WANTED).parent))}))"
    )
    cells = [new_code_cell("x: int = 0  # a number", metadata={"tags": ["parameters"]}), new_code_cell(source)]
    node = new_notebook(cells=cells)
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(node, root / "in.ipynb")
    ran = execute_notebook(root / "in.ipynb", root / "out.ipynb", {}, 60)
    assert "words" in (root / WANTED).read_text(encoding="utf-8")
    assert f"{WANTED}: written when" in ran.read_text(encoding="utf-8")
