"""Bars of a notebook's kernel: as widgets in the browser, or passed on to the process that runs the notebook."""

import os
import time
from dataclasses import dataclass
from itertools import count
from typing import Any

from IPython import get_ipython
from tqdm.notebook import tqdm

from helpers.core.progress import Bar, BarDisplay

VARIABLE = "VESSELKIT_BARS_PASSED_ON"  # set in a kernel whose notebook is run without a browser
MIME = "application/vnd.vesselkit.progress+json"

_FIRST_S = 1.0  # what ends before is not worth a widget
_KEPT_S = 5.0  # work that took longer leaves its widget behind
_APART_S = 0.2  # of messages that pass a bar on


def of_kernel() -> BarDisplay | None:
    """Where bars of this process are shown; None outside a kernel."""
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return PassedOn(shell.display_pub) if os.environ.get(VARIABLE) else Widgets()


@dataclass
class Message:
    """What the running process is told of a bar, as JSON; `done` of an ended bar is None."""

    number: int
    what: str
    total: int | None
    unit: str
    initial: int
    done: int | None
    note: str


class PassedOn:
    """Sends bars as messages outside the output of a cell: the process that runs the notebook takes them out."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher
        self._numbers = count()
        self._of: dict[int, int] = {}  # id of a bar -> its number
        self._sent = 0.0

    def begun(self, bar: Bar) -> None:
        """Say so."""
        self._of[id(bar)] = next(self._numbers)
        self._send(bar, bar.done)

    def moved(self, bar: Bar) -> None:
        """Say so, five times a second at most."""
        if time.monotonic() - self._sent >= _APART_S:
            self._send(bar, bar.done)

    def ended(self, bar: Bar) -> None:
        """Say so."""
        self._send(bar, None)
        self._of.pop(id(bar), None)

    def _send(self, bar: Bar, done: int | None) -> None:
        self._sent = time.monotonic()
        message = Message(self._of.get(id(bar), -1), bar.what, bar.total, bar.unit, bar.initial, done, bar.note)
        self._publisher.publish({MIME: vars(message)})


class Widgets:
    """Shows bars of more than a second as tqdm's widgets; those of more than five stay."""

    def __init__(self) -> None:
        self._shown: dict[int, tqdm] = {}

    def begun(self, bar: Bar) -> None:
        """Nothing yet: most end at once."""

    def moved(self, bar: Bar) -> None:
        """Draw what is done."""
        if id(bar) not in self._shown:
            if bar.seconds < _FIRST_S:
                return
            scale = {"unit": bar.unit, "unit_scale": bar.unit == "B", "initial": bar.initial}
            self._shown[id(bar)] = tqdm(total=bar.total, desc=bar.what, leave=False, **scale)
            self._shown[id(bar)].start_t -= bar.seconds
        shown = self._shown[id(bar)]
        shown.update(bar.done - shown.n)

    def ended(self, bar: Bar) -> None:
        """Take it away, or leave it where it took long."""
        shown = self._shown.pop(id(bar), None)
        if shown is not None:
            shown.leave = bar.seconds >= _KEPT_S
            shown.close()
