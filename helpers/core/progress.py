"""Progress of long work: libraries report it here, and their caller chooses where it is shown.

`track` and `Bar` are all that a library calls. Commands show bars in the terminal (`core.terminal`), notebooks as
widgets, and a notebook that is run without a browser passes them on to the process that runs it
(`helpers.core.kernel_bars`). Where nobody chose and nobody looks, nothing is shown.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class BarDisplay(Protocol):
    """Where bars are shown. Calls come in the thread that works, and must return at once."""

    def begun(self, bar: "Bar") -> None:
        """A piece of work begins, inside of those that have begun and not ended."""

    def moved(self, bar: "Bar") -> None:
        """Some of its units are done, or its note has changed."""

    def ended(self, bar: "Bar") -> None:
        """It has ended, well or not."""


class Silent:
    """Shows nothing."""

    def begun(self, bar: "Bar") -> None:
        """Nothing."""

    def moved(self, bar: "Bar") -> None:
        """Nothing."""

    def ended(self, bar: "Bar") -> None:
        """Nothing."""


class Bar:
    """A piece of work that takes long: between `begin` and `end`, or as a context, `update` counts what is done.

    Attributes:
        what: is done, in a word or three: "predict", "checking files".
        total: units that there are; None where that is unknown.
        unit: in the singular: "image"; "B" for bytes.
        done, initial: units that are done, and that were done before it began.
        even: whether units take about equally long, so that a rate and the time left can be told.
        note: what goes on within it, such as the heading of a notebook's cell.
        began: seconds of `time.monotonic`.
    """

    def __init__(
        self, what: str, total: int | None = None, *, unit: str = "step", initial: int = 0, even: bool = True
    ) -> None:
        self.what, self.total, self.unit, self.initial, self.even = what, total, unit, initial, even
        self.done, self.note, self.began = initial, "", time.monotonic()
        self._display = _chosen()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def update(self, count: int = 1) -> None:
        """`count` more units are done."""
        self.done += count
        self._display.moved(self)

    def tell(self, note: str) -> None:
        """Say what goes on within it."""
        self.note = note
        self._display.moved(self)

    def begin(self) -> None:
        """Start the clock and show it."""
        self.began = time.monotonic()
        self._display.begun(self)

    def end(self) -> None:
        """Take it off."""
        self._display.ended(self)

    def __enter__(self) -> "Bar":
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def track(items: Iterable[Item], what: str, *, unit: str, total: int | None = None) -> Iterator[Item]:
    """The items, one after another, counted as a `Bar` of `what`.

    Args:
        total: of items without a length; None where it is unknown.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Bar(what, total, unit=unit) as bar:
        for item in items:
            yield item
            bar.update()


@contextmanager
def shown_on(display: BarDisplay) -> Iterator[None]:
    """Within the block bars that begin are shown there."""
    global _given
    before, _given = _given, display
    try:
        yield
    finally:
        _given = before


_given: BarDisplay | None = None
_found: BarDisplay | None = None


def _chosen() -> BarDisplay:
    """What `shown_on` says, else what this process is: a kernel, a program in a terminal, or one that nobody sees."""
    global _found
    if _given is not None:
        return _given
    if _found is None:
        _found = _of_this_process()
    return _found


def _of_this_process() -> BarDisplay:
    if "ipykernel" in sys.modules:
        from helpers.core.kernel_bars import of_kernel  # here, since few processes are a kernel

        kernel = of_kernel()
        if kernel is not None:
            return kernel
    if sys.stderr is not None and sys.stderr.isatty():
        from helpers.core.terminal import Terminal

        return Terminal(sys.stderr)
    return Silent()
