"""What a failed notebook keeps names no file: neither its error, nor what was printed, nor its parameters."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from papermill.translators import PythonTranslator

from helpers.errors import RefusedInput, UsageProblem
from helpers.notebook.execution import execute_notebook
from helpers.notebook.scrubbing import WITHHELD, scrub, scrubbed
from helpers.paths import ROOT_VARIABLE
from tests.notebook.test_execution import write_notebook
from tests.notebook.test_notebooks import INFER

PLANTED = "DOE_JOHN"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("read /data/DOE_JOHN/a 1.png: truncated", "read <path>: truncated"),
        ("[Errno 2] No such file: '../DOE_JOHN/x'", "[Errno 2] No such file: '<path>'"),
        ("at file:///data/DOE_JOHN/a.html: gone", "at <path>: gone"),
        ("could not open 'Doe, John (2).PNG'", "could not open '<file>'"),
        ("KeyError: 'DOE_JOHN/IM0001'", "KeyError: '<path>'"),
        ("3 of Doe John.dcm: bad", "<file>: bad"),
        ("a / b and and/or, 1/2 of vessels", "a / b and and/or, 1/2 of vessels"),
        ("outputs/demo/panels/P001.png  12 bytes", "outputs/demo/panels/P001.png  12 bytes"),
        (
            "File /usr/x/lib/python3.11/site-packages/numpy/core.py:12, in f",
            "File site-packages/numpy/core.py:12, in f",
        ),
    ],
)
def test_paths_and_data_files_are_taken_out_and_prose_stays(text, kept):
    assert scrubbed(text, []) == kept


@pytest.mark.parametrize(
    ("source", "error", "kept"),
    [
        (
            "raise ValueError(f'{images}: no frames in {images.split(chr(47))[-1]}')",
            None,
            "<images>: no frames in <images>",
        ),
        ("open(images + '/scan')", None, WITHHELD),
        (
            "from helpers.errors import RefusedInput\nraise RefusedInput(images[9:] + ' is no frame')",
            RefusedInput,
            f"RefusedInput: {WITHHELD}",
        ),
        (
            "from helpers.errors import UsageProblem\nraise UsageProblem('no patient in ' + images[9:])",
            UsageProblem,
            f"UsageProblem: {WITHHELD}",
        ),
    ],
)
def test_a_failed_notebook_names_no_file_and_the_terminal_does(tmp_path, source, error, kept):
    notebook = write_notebook(tmp_path / "in.ipynb", "import sys\nprint('look at', images, file=sys.stderr)", source)
    with pytest.raises(error or Exception, match=PLANTED):
        execute_notebook(notebook, tmp_path / "out.ipynb", {"images": f"/nowhere/{PLANTED}"}, 120)
    text = (tmp_path / "out.failed.ipynb").read_text()
    assert PLANTED not in text and kept in text and "look at <images>" in text


def test_paths_at_any_depth_and_in_what_is_displayed_are_taken_out():
    planted = f"/nowhere/{PLANTED} & son"
    given = {"folders": {"train": planted, "more": [[planted]]}, "prompts": ["~nobody.here or and"]}
    injected = new_code_cell(PythonTranslator.codify(given), metadata={"tags": ["injected-parameters"]})
    shown = {"text/plain": planted, "text/html": f"<td>{planted.replace('&', '&amp;')}</td>", "image/png": "abc"}
    node = new_notebook(cells=[injected, new_code_cell(outputs=[new_output("display_data", data=shown)])])
    node.metadata["papermill"] = {"parameters": given}
    scrub(node, failed=False)
    assert PLANTED not in nbformat.writes(node)
    assert node.metadata["papermill"]["parameters"]["folders"] == {"train": "<folders>", "more": [["<folders>"]]}
    found = node.cells[1].outputs[0].data
    assert found == {"text/plain": "<folders>", "text/html": "<td>&lt;folders&gt;</td>", "image/png": "abc"}


def test_a_misspelt_path_is_refused_before_a_kernel_starts_and_leaves_nothing(tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a kernel was started")

    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setattr("papermill.execute_notebook", never)
    with pytest.raises(UsageProblem, match=rf"data: expected an existing file or folder.*{PLANTED}"):
        execute_notebook(INFER, tmp_path / "new/out.ipynb", {"project": "p", "data": f"/nowhere/{PLANTED}"}, 120)
    assert not list(tmp_path.iterdir())
