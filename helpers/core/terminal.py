"""Bars in a terminal, one line that moves; as plain lines where the error stream is a file or a pipe."""

import os
import shutil
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from tqdm import tqdm

from helpers.core.progress import Bar, shown_on

_REDRAW_S = 0.5
_FIRST_S = 1.0  # what ends before is not worth a line
_LINE_S = 6.0  # of silence before a plain line, so that none lasts 10 s
_FIRST_LINE_S = 3.0  # before the first, since Python itself took some seconds to start
_WORTH_S = 5.0  # work that took longer leaves a line behind
_WIDTH = 100


class Terminal:
    """Shows the innermost bar, and where it belongs. One line that moves, or a plain line after each 6 s of silence.

    Work that took 5 s leaves a line with its time behind.
    """

    def __init__(self, stream: TextIO, *, moves: bool | None = None, line_s: float | None = None) -> None:
        """Choose the stream.

        Args:
            moves: whether the line may be drawn over; None where the stream is a terminal.
            line_s: silence before a plain line; None for 6 s.
        """
        self._stream, self._line_s = stream, _LINE_S if line_s is None else line_s
        self._moves = stream.isatty() if moves is None else moves
        self._written = time.monotonic()
        self._broken = False  # whether others left the cursor in the middle of a line
        self._bars: list[Bar] = []
        self._thread: threading.Thread | None = None
        self._forget()
        if hasattr(os, "register_at_fork"):
            # A fork has neither the thread that draws nor its hold of the lock, and would wait for ever.
            this = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _forget_bars(this()))

    def begun(self, bar: Bar) -> None:
        """Show it from the next moment on."""
        with self._lock:
            if not self._bars:
                self._written = time.monotonic() - max(0.0, self._line_s - _FIRST_LINE_S)
            self._bars.append(bar)
            if bar.initial:
                self._clear()
                self._write(f"{_taken_over(bar)}\n")
            if self._thread is None:
                self._wake = threading.Event()
                self._thread = threading.Thread(target=self._keep_drawing, name="progress", daemon=True)
                self._thread.start()

    def moved(self, bar: Bar) -> None:
        """Nothing: the next moment shows it."""

    def ended(self, bar: Bar) -> None:
        """Take it off, with a line that stays where it took long."""
        with self._lock:
            if bar not in self._bars:
                return
            self._bars = self._bars[: self._bars.index(bar)]  # generators that were left have not ended theirs
            self._clear()
            if bar.seconds >= _WORTH_S and bar.total is not None and not any(one.total for one in self._bars):
                self._write(f"{ended_text(bar)}\n")
            if not self._bars:
                self._wake.set()
                self._thread = None

    @contextmanager
    def at_work(self, what: str) -> Iterator[None]:
        """Within the block bars are shown here, and what is printed keeps clear of them.

        Args:
            what: is named where no bar says more.
        """
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = (_Beside(stream, self) for stream in before)
        try:
            with shown_on(self), Bar(what):
                yield
        finally:
            sys.stdout, sys.stderr = before

    def pass_on(self, stream: TextIO, text: str) -> int:
        """Write what others print, over the bar."""
        with self._lock:
            self._clear()
            self._written = time.monotonic()
            self._broken = bool(text) and not text.endswith("\n")
            count = stream.write(text)
            stream.flush()  # else a file or pipe sees it late, and a silence before
            return count

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._bars = []
        self._drawn = ""  # the line on the screen that may be drawn over
        self._wake = threading.Event()
        self._thread = None

    def _keep_drawing(self) -> None:
        wake = self._wake
        while not wake.wait(_REDRAW_S if self._moves else self._line_s / 8):
            with self._lock:
                if wake.is_set() or not self._bars:
                    return
                now = time.monotonic()
                if self._moves:
                    if now - self._bars[0].began >= _FIRST_S and not (self._broken and now - self._written < _LINE_S):
                        self._draw(meter(self._bars, min(_WIDTH, shutil.get_terminal_size().columns - 1)))
                elif now - self._written >= self._line_s:
                    self._write(f"{plain_text(self._bars)}\n")

    def _draw(self, text: str) -> None:
        start = "\n" if self._broken else "\r"
        self._put(f"{start}{text}{' ' * (len(self._drawn) - len(text))}")
        self._drawn, self._broken = text, False

    def _put(self, text: str) -> None:
        """Write to the stream. Where its reader has gone, as a terminal that was closed, the work goes on without."""
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()

    def _clear(self) -> None:
        if self._drawn:
            self._put(f"\r{' ' * len(self._drawn)}\r")
            self._drawn = ""

    def _write(self, text: str) -> None:
        self._put("\n" + text if self._broken else text)
        self._written, self._broken = time.monotonic(), False


class _Beside:
    """A stream whose writes keep clear of the bar."""

    def __init__(self, stream: TextIO, terminal: Terminal) -> None:
        self._stream, self._terminal = stream, terminal

    def write(self, text: str) -> int:
        return self._terminal.pass_on(self._stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _forget_bars(terminal: Terminal | None) -> None:
    if terminal is not None:
        terminal._forget()


def meter(bars: list[Bar], width: int) -> str:
    """The innermost bar as tqdm draws it, after the names of those that it belongs to; at most `width` letters."""
    outer, bar = _outer(bars), bars[-1]
    lead = "".join(f"{_place(one)} | " for one in outer)
    if bar.total is None or not bar.even:
        return f"{lead}{_place(bar)} [{tqdm.format_interval(bar.seconds)}]"[:width]
    scale = {"unit": bar.unit, "unit_scale": bar.unit == "B", "initial": bar.initial}
    told = {"ncols": width, "prefix": f"{lead}{bar.what}", "postfix": bar.note}
    text: str = tqdm.format_meter(bar.done, bar.total, bar.seconds, **told, **scale)
    return text[:width]


def plain_text(bars: list[Bar]) -> str:
    """The innermost bar as words, after those that it belongs to: `predict: 12 of 96 images, 2 s each, 02:48 left`."""
    parts = [_place(one) for one in _outer(bars)]
    bar = bars[-1]
    if bar.total is None or not bar.even:
        return ", ".join([*parts, f"{_place(bar)}: at work for {tqdm.format_interval(bar.seconds)}"])
    words = _share(bar, bar.done)
    made = bar.done - bar.initial
    if bar.done >= bar.total:
        words += f", ends what is left, at work for {tqdm.format_interval(bar.seconds)}"
    elif made and bar.seconds > 0:
        rate = made / bar.seconds
        each = (
            f"{_amount(rate, 'B')}/s" if bar.unit == "B" else f"{rate:.2g}/s" if rate >= 1 else f"{1 / rate:.2g} s each"
        )
        words += f", {each}, {tqdm.format_interval((bar.total - bar.done) / rate)} left"
    else:
        words += f", at work for {tqdm.format_interval(bar.seconds)}"
    return ", ".join(filter(None, [*parts, words, bar.note]))


def ended_text(bar: Bar) -> str:
    """`predict: 96 of 96 images in 01:12`."""
    return f"{_share(bar, bar.done)} in {tqdm.format_interval(bar.seconds)}"


def _taken_over(bar: Bar) -> str:
    """`predict: 40 of 96 images are there already`."""
    return f"{_share(bar, bar.initial)} are there already"


def _outer(bars: list[Bar]) -> list[Bar]:
    """Those that the innermost one belongs to and that say more than the name of the command."""
    return [bar for bar in bars[:-1] if bar.total is not None or bar.note]


def _place(bar: Bar) -> str:
    """`02_infer, cell 4 of 9 (Prediction)`."""
    counted = "" if bar.total is None else f", {bar.unit} {min(bar.done + 1, bar.total)} of {bar.total}"
    return f"{bar.what}{counted}{f' ({bar.note})' if bar.note else ''}"


def _share(bar: Bar, done: int) -> str:
    """`predict: 12 of 96 images`."""
    noun = "" if bar.unit == "B" else f" {bar.unit}{'' if bar.total == 1 else 's'}"
    return f"{bar.what}: {_amount(done, bar.unit)} of {_amount(bar.total or 0, bar.unit)}{noun}"


def _amount(number: float, unit: str) -> str:
    return f"{tqdm.format_sizeof(number)}B" if unit == "B" else f"{number:g}"
