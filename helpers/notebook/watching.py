"""What a notebook that runs without a browser is at: its cell, by its heading, and the bars of its kernel.

The kernel passes its bars on as messages, which are taken out before the executed copy sees them.
"""

import os
import re
import threading
from collections.abc import Sequence
from typing import Any

from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.utils import merge_kwargs, remove_args
from traitlets import Dict, Unicode

from helpers.core.kernel_bars import MIME, VARIABLE, Message
from helpers.core.progress import Bar
from helpers.core.terminal import plain_text

ENGINE = "vesselkit"

_HEADING = re.compile(r"^#{2,6} +(.+?) *$", re.MULTILINE)
_FIRST = "parameters"
_DRAWN_OVER = re.compile(r"[^\n]*\r(?=[^\n])")  # by what follows, as a terminal and JupyterLab show it
_TQDM = re.compile(r"([^\r\n]*\d+%)\|[^|]*\| *([^\r\n]*\])\s*$")  # a bar of another library: its words and numbers


class WatchedClient(PapermillNotebookClient):
    """Runs the cells as a bar, with those of the kernel inside of it."""

    shown_as = Unicode("notebook").tag(config=True)
    environment = Dict().tag(config=True)  # of the kernel, over that of this process

    def execute(self, **kwargs: Any) -> NotebookNode:
        """Run all cells. Raises as papermill's."""
        names = self._headings = headings(self.nb.cells)
        self._inner: dict[int, Bar] = {}
        with Bar(self.shown_as, len(names), unit="cell", even=False) as cells:
            self._cells = cells
            cells.tell("starts Python")

            def begins(cell: NotebookNode, cell_index: int) -> None:
                if cell_index in names:
                    cells.tell(names[cell_index])

            def ends(cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
                self._end_inner(list(self._inner))
                cell.outputs = settled(cell.outputs)
                cells.update()

            self.on_cell_start = begins
            self.on_cell_executed = ends  # on_cell_complete is called once the cell was sent, before it has run
            try:
                return super().execute(env={**os.environ, **self.environment, VARIABLE: "1"}, **kwargs)
            finally:
                self._end_inner(list(self._inner))

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take out what tells of bars, and show bars of other libraries; all else as papermill's."""
        content = msg["content"]
        passed = content.get("data", {}).get(MIME) if msg["msg_type"] == "display_data" else None
        if passed is not None:
            self._show(Message(**passed))
            return None
        drawn = _TQDM.search(content["text"]) if msg["msg_type"] == "stream" and content["name"] == "stderr" else None
        if drawn is not None:
            self._cells.tell(f"{self._headings.get(cell_index, '')}: {drawn[1].strip()} {drawn[2]}")
        return super().process_message(msg, cell, cell_index)

    def _show(self, told: Message) -> None:
        if told.done is None:
            self._end_inner([told.number])
            return
        if told.number not in self._inner:
            self._inner[told.number] = Bar(told.what, told.total, unit=told.unit, initial=told.initial)
            self._inner[told.number].begin()
        bar = self._inner[told.number]
        bar.update(told.done - bar.done)
        if told.note != bar.note:
            bar.tell(told.note)

    def _end_inner(self, numbers: Sequence[int]) -> None:
        for number in reversed(numbers):
            bar = self._inner.pop(number, None)
            if bar is not None:
                bar.end()


class JobBars:
    """Bars of notebooks that run at the same time, apart by the threads that wait for them: says what each is at."""

    def __init__(self) -> None:
        self._thread = threading.local()
        self._bars: dict[str, list[Bar]] = {}

    def start(self, name: str) -> None:
        """From now on the bars of the calling thread are those of the notebook of this name."""
        self._bars[name] = self._thread.bars = []

    def begun(self, bar: Bar) -> None:
        """It is the innermost one of its notebook."""
        self._mine().append(bar)

    def moved(self, bar: Bar) -> None:
        """Nothing: whoever shows the lines asks for them."""

    def ended(self, bar: Bar) -> None:
        """It goes, with those inside of it."""
        bars = self._mine()
        if bar in bars:
            del bars[bars.index(bar) :]

    def line(self, name: str) -> str:
        """What a notebook is at, after its name; empty before its first bar."""
        bars = list(self._bars.get(name, ()))
        return f"{name}: {plain_text(bars)}" if bars else ""

    def _mine(self) -> list[Bar]:
        bars: list[Bar] = getattr(self._thread, "bars", [])
        return bars


class WatchedEngine(NBClientEngine):
    """papermill's engine with the client above."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, start_timeout: int = 60,
        execution_timeout: int | None = None, **kwargs: Any,
    ) -> NotebookNode:  # fmt: skip
        """Run a notebook, as papermill's engine does."""
        kept = remove_args(["input_path", "log_output", "stdout_file", "stderr_file"], **kwargs)
        given = merge_kwargs(
            kept, timeout=execution_timeout, startup_timeout=start_timeout, kernel_name=kernel_name
        )  # fmt: skip
        return WatchedClient(nb_man, **given).execute()


def headings(cells: Sequence[NotebookNode]) -> dict[int, str]:
    """Place of each code cell -> the last heading above it; those above the first are of the parameters."""
    found, heading = {}, _FIRST
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            heading = (_HEADING.findall(cell.source) or [heading])[-1]
        elif cell.cell_type == "code":
            found[place] = heading
    return found


def settled(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighbours of one stream joined, and without what was drawn over: of a bar, what it came to."""
    found: list[NotebookNode] = []
    for output in outputs:
        if found and output.output_type == "stream" == found[-1].output_type and output.name == found[-1].name:
            found[-1].text += output.text
        else:
            found.append(output)
    for output in found:
        if output.output_type == "stream":
            output.text = _DRAWN_OVER.sub("", output.text)
    return found


papermill_engines.register(ENGINE, WatchedEngine)
