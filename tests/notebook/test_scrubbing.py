"""What a failed notebook keeps names no file: neither its error, nor what was printed, nor its parameters."""

import base64
import json

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from papermill.translators import PythonTranslator

from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.core.paths import ROOT_VARIABLE
from helpers.notebook.execution import execute_notebook
from helpers.notebook.scrubbing import WITHHELD, is_users_path, scrub, scrubbed
from helpers.runs.stored_maps import png_bytes
from tests.notebook.test_execution import write_notebook
from tests.support.shipped_notebooks import INFER

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


@pytest.mark.slow
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
            "from helpers.core.errors import RefusedInput\nraise RefusedInput(images[9:] + ' is no frame')",
            RefusedInput,
            f"RefusedInput: {WITHHELD}",
        ),
        (
            "from helpers.core.errors import UsageProblem\nraise UsageProblem('no patient in ' + images[9:])",
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


def test_nothing_says_where_the_project_lies(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    inside = f"{tmp_path.resolve()}/outputs/demo"
    shown = {"text/plain": inside, "text/html": f"<td>{inside}</td>", "text/markdown": f"`{inside}`"}
    outputs = [new_output("stream", text=f"results: {inside}\n"), new_output("display_data", data=shown)]
    node = new_notebook(cells=[new_code_cell("1", outputs=outputs)])
    scrub(node, failed=False)
    said, displayed = node.cells[0].outputs
    assert said.text == "results: outputs/demo\n" and displayed.data["text/plain"] == "outputs/demo"
    assert (
        displayed.data["text/html"] == "<td>outputs/demo</td>" and displayed.data["text/markdown"] == "`outputs/demo`"
    )


def test_a_misspelt_path_is_refused_before_a_kernel_starts_and_leaves_nothing(tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a kernel was started")

    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setattr("papermill.execute_notebook", never)
    with pytest.raises(UsageProblem, match=rf"data: expected an existing file or folder.*{PLANTED}"):
        execute_notebook(INFER, tmp_path / "new/out.ipynb", {"project": "p", "data": f"/nowhere/{PLANTED}"}, 120)
    assert not list(tmp_path.iterdir())


WIDGETS = """
import base64
import ipywidgets
from IPython.display import Image, display
from tqdm.auto import tqdm

pixels = base64.b64decode("{pixels}")
for place in tqdm(range(2), desc="{planted}"):
    pass
shown = ipywidgets.Image(value=pixels)
display(shown)
shown.close()
hidden = ipywidgets.Image(value=pixels, layout=ipywidgets.Layout(display="none"))
display(ipywidgets.HBox([hidden, ipywidgets.HTML('<img src="data:image/png;base64,{pixels}">{planted}')]))
within = ipywidgets.Output()
display(within)
with within:
    display(Image(pixels))
unseen = ipywidgets.Text("{planted} {pixels}")
"""


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_an_executed_notebook_keeps_no_pixels_and_words_of_widgets_closed_hidden_or_shown(tmp_path, fails):
    figure, pixels = (base64.b64encode(png_bytes(np.eye(side, dtype=bool))).decode() for side in (5, 6))
    end = "display(Image(base64.b64decode('{figure}')))\nprint('done')" + ("\nraise ValueError('x')" if fails else "")
    sources = (WIDGETS.format(pixels=pixels, planted=PLANTED), end.format(figure=figure))
    # What cells say is no state: only outputs and metadata are looked at.
    notebook = write_notebook(tmp_path / "in.ipynb", *sources)
    output = tmp_path / "out.ipynb"
    if fails:
        with pytest.raises(VesselkitError):
            execute_notebook(notebook, output, {}, 120)
        output = tmp_path / "out.failed.ipynb"
    else:
        execute_notebook(notebook, output, {}, 120)
    node = nbformat.read(output, as_version=4)
    shown = [found for cell in node.cells for found in cell.get("outputs", [])]
    text = json.dumps([node.metadata, shown])
    assert pixels not in text and PLANTED not in text and "widget" not in text
    assert figure in text and "done" in text


def test_a_picture_beside_a_widget_stays(tmp_path):
    view = "application/vnd.jupyter.widget-view+json"
    data = {view: {"model_id": "x"}, "text/plain": "Canvas()", "image/png": "pixels"}
    alone = {view: {"model_id": "y"}, "text/plain": f"Text('{PLANTED}')"}
    outputs = [new_output("display_data", data=dict(one)) for one in (data, alone)]
    node = new_notebook(cells=[new_code_cell("x", outputs=outputs)], metadata={"widgets": {"state": PLANTED}})
    scrub(node, failed=False)
    assert [found.data for found in node.cells[0].outputs] == [
        {"image/png": "pixels"}
    ] and "widgets" not in node.metadata


def test_the_demos_own_files_stay_so_that_its_copies_run_again():
    assert not is_users_path("helpers/dev/demo/files/data") and not is_users_path("outputs/demo/predict/model")
    assert is_users_path("helpers/dev/demo/other") and is_users_path("/data/helpers/dev/demo/files/data")
