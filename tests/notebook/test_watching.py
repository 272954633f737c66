"""A notebook that runs without a browser shows its cell and the bars of its kernel, and keeps nothing of them."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.core.kernel_bars import MIME, PassedOn, Widgets
from helpers.core.progress import Bar, shown_on, track
from helpers.notebook.execution import execute_notebook
from helpers.notebook.watching import headings, settled
from tests.support.bars import recorded

COUNTING = """
from helpers.core.progress import Bar, track
print(len(list(track("abc", "reading", unit="file"))))
with Bar("predict", 5, unit="image", initial=2) as work:
    work.update(3)
"""
OTHERS = "import sys\nfor n in (1, 2): print(f'\\rLoading: {n}0%|##| {n}/9 [00:0{n}<00:08]', end='', file=sys.stderr)"


@pytest.mark.slow
def test_the_cell_by_its_heading_and_the_kernels_bars(tmp_path):
    cells = [
        new_markdown_cell("# Title"),
        new_code_cell("x: int = 0", metadata={"tags": ["parameters"]}),
        new_markdown_cell("Words.\n\n## Prediction\n\nMore words."),
        new_code_cell(COUNTING),
        new_code_cell(OTHERS),
    ]
    node = new_notebook(cells=cells)
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "python3", "language": "python"}
    nbformat.write(node, tmp_path / "in.ipynb")
    with recorded() as seen:
        execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", {}, 120)
    assert seen.told[0] == ("begun", "in", 3, "cell", 0, 0) and seen.told[-1] == ("ended", "in")
    notes = list(dict.fromkeys(one[3] for one in seen.told if one[0] == "moved" and one[1] == "in"))
    assert notes[:3] == ["starts Python", "parameters", "Prediction"]
    assert notes[3:] and notes[-1] == "Prediction: Loading: 20% 2/9 [00:02<00:08]"
    inner = [one for one in seen.told if one[1] in ("reading", "predict") and one[0] != "moved"]
    assert inner == [
        ("begun", "reading", 3, "file", 0, 0),
        ("ended", "reading"),
        ("begun", "predict", 5, "image", 2, 2),
        ("ended", "predict"),
    ]
    kept = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert MIME not in (tmp_path / "out.ipynb").read_text()
    assert [[one.text for one in cell.outputs] for cell in kept.cells if cell.cell_type == "code"] == [
        [],
        ["3\n"],
        ["Loading: 20%|##| 2/9 [00:02<00:08]"],
    ]


def test_headings_stand_for_the_cells_below_them():
    cells = [new_markdown_cell("# Title"), new_code_cell(), new_markdown_cell("## One\n### Two"), new_code_cell()]
    assert headings(cells) == {1: "parameters", 3: "Two"}


def test_of_what_was_drawn_over_the_last_stays():
    outputs = [
        new_output("stream", name="stderr", text="a warning\n\r 0%"),
        new_output("stream", name="stderr", text="\r50%"),
        new_output("stream", name="stdout", text="printed\r\n"),
        new_output("stream", name="stderr", text="\r100%\n"),
    ]
    assert [one.text for one in settled(outputs)] == ["a warning\n50%", "printed\r\n", "\r100%\n".lstrip("\r")]


class Publisher:
    def __init__(self):
        self.sent = []

    def publish(self, data):
        self.sent.append(data[MIME])


def test_a_kernel_passes_on_what_is_done_without_a_flood():
    publisher = Publisher()
    with shown_on(PassedOn(publisher)):
        assert len(list(track(range(1000), "scoring", unit="case"))) == 1000
    assert publisher.sent[0] == {
        "number": 0, "what": "scoring", "total": 1000, "unit": "case", "initial": 0, "done": 0, "note": ""
    }  # fmt: skip
    assert publisher.sent[-1]["done"] is None and len(publisher.sent) < 50


def test_in_the_browser_only_long_work_has_a_widget():
    widgets = Widgets()
    with shown_on(widgets), Bar("scoring", 4, unit="case") as work:
        work.update()
        assert not widgets._shown
        work.began -= 3
        work.update()
        (shown,) = widgets._shown.values()
        assert (shown.n, shown.total, shown.desc) == (2, 4, "scoring")
        work.update()
        assert shown.n == 3
    assert not widgets._shown
