"""Bars in words and as a line that moves; what others print keeps clear of it, and no silence lasts."""

import io
import os
import sys
import threading
import time

import pytest

from helpers.core.progress import Bar, Silent, shown_on, track
from helpers.core.terminal import Terminal, ended_text, meter, plain_text


class Screen(io.StringIO):
    """A stream that keeps when something was written."""

    def __init__(self):
        super().__init__()
        self.times = []

    def write(self, text):
        self.times.append(time.monotonic())
        return super().write(text)


def bar(what, total=None, *, seconds=0.0, done=0, note="", **given):
    with shown_on(Silent()):
        made = Bar(what, total, **given)
    made.done, made.note, made.began = made.initial + done, note, made.began - seconds
    return made


def cells(done, note):
    return bar("02_infer", 9, unit="cell", done=done, note=note, even=False)


def test_words_say_how_far_how_fast_and_how_long_still():
    assert plain_text([bar("predict", seconds=65)]) == "predict: at work for 01:05"
    assert plain_text([bar("predict", 96, unit="image", seconds=3)]) == "predict: 0 of 96 images, at work for 00:03"
    half = bar("predict", 96, unit="image", seconds=24.001, done=12)
    assert plain_text([bar("pipeline"), half]) == "predict: 12 of 96 images, 2 s each, 02:48 left"
    inside = [bar("demo"), cells(3, "Prediction"), half]
    assert plain_text(inside) == "02_infer, cell 4 of 9 (Prediction), predict: 12 of 96 images, 2 s each, 02:48 left"
    assert plain_text(inside[:2]) == "02_infer, cell 4 of 9 (Prediction): at work for 00:00"


def test_what_was_there_before_makes_nothing_faster():
    resumed = bar("predict", 96, unit="image", initial=90, seconds=4.001, done=2)
    assert plain_text([resumed]) == "predict: 92 of 96 images, 2 s each, 00:08 left"


def test_of_what_is_done_no_time_is_left_to_tell():
    done = bar("scoring", 6, unit="case", seconds=65, done=6)
    assert plain_text([done]) == "scoring: 6 of 6 cases, ends what is left, at work for 01:05"


def test_bytes_are_written_as_such_and_notes_follow():
    read = bar("sha256", 8_000_000, unit="B", seconds=2.0, done=4_000_000)
    assert plain_text([read]) == "sha256: 4.00MB of 8.00MB, 2.00MB/s, 00:02 left"
    assert plain_text([bar("train", 9, unit="iter", note="loss 0.5")]).endswith(", at work for 00:00, loss 0.5")


def test_one_line_as_tqdm_draws_it():
    half = bar("predict", 96, unit="image", seconds=24.001, done=12)
    drawn = meter([bar("demo"), cells(3, "Prediction"), half], 120)
    assert drawn.startswith("02_infer, cell 4 of 9 (Prediction) | predict:  12%|") and len(drawn) == 120
    assert drawn.endswith("12/96 [00:24<02:48,  2.00s/image]")
    assert len(meter([cells(3, "Prediction"), half], 40)) <= 40
    assert meter([cells(3, "Prediction")], 80) == "02_infer, cell 4 of 9 (Prediction) [00:00]"


def test_ends_have_their_time():
    assert ended_text(bar("predict", 1, unit="image", seconds=72, done=1)) == "predict: 1 of 1 image in 01:12"


def test_a_file_gets_a_line_after_each_silence_and_none_without():
    screen = Screen()
    terminal = Terminal(screen, line_s=0.2)
    with shown_on(terminal), Bar("predict"), Bar("predict", 3, unit="image") as work:
        work.update()
        time.sleep(0.75)
    lines = screen.getvalue().splitlines()
    assert 2 <= len(lines) <= 4 and all(line.startswith("predict: 1 of 3 images") for line in lines)
    assert "\r" not in screen.getvalue()
    quick = Screen()
    with shown_on(Terminal(quick, line_s=0.2)):
        assert list(track("abc", "read", unit="file")) == ["a", "b", "c"]
    assert quick.getvalue() == ""


def test_what_others_print_counts_as_life_and_goes_over_the_line(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    terminal = Terminal(screen, moves=True)
    with terminal.at_work("evaluate"):
        terminal._draw("evaluate [00:02]")
        print("a result")
        assert screen.getvalue() == f"\revaluate [00:02]\r{' ' * 16}\ra result\n"
        sys.stderr.write("half a line")
        terminal._draw("evaluate [00:03]")
    assert screen.getvalue().endswith(f"half a line\nevaluate [00:03]\r{' ' * 16}\r")
    assert sys.stdout is screen and sys.stderr is screen


def test_what_is_taken_over_is_said_and_long_work_leaves_a_line():
    screen = Screen()
    with shown_on(Terminal(screen)), Bar("predict", 4, unit="image", initial=3) as work:
        assert screen.getvalue() == "predict: 3 of 4 images are there already\n"
        work.update()
        work.began -= 3601
    assert screen.getvalue().splitlines()[1] == "predict: 4 of 4 images in 1:00:01"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system knows no fork")
def test_a_fork_that_prints_while_the_line_is_drawn_goes_on():
    terminal = Terminal(Screen(), moves=True)
    with terminal._lock:  # as the thread holds it that draws
        child = os.fork()
        if not child:
            thread = threading.Thread(target=terminal.pass_on, args=(io.StringIO(), "printed\n"))
            thread.start()
            thread.join(5)
            os._exit(thread.is_alive())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_work_that_fails_or_is_left_leaves_nothing_on_the_screen():
    screen = Screen()
    terminal = Terminal(screen)
    with shown_on(terminal):
        next(track([1, 2], "left", unit="file"))
        with pytest.raises(ValueError, match="broken"), Bar("fails", 2):
            raise ValueError("broken")
    assert not terminal._bars and screen.getvalue() == ""


class Gone(Screen):
    """A terminal that was closed."""

    def write(self, text):
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("moves", [True, False])
def test_work_goes_on_where_nobody_can_read_any_more(moves):
    shown = Terminal(Gone(), moves=moves, line_s=0.01)
    with shown_on(shown), Bar("predict", 3, unit="image", initial=1) as work:
        work.began -= 10
        time.sleep(0.05)
        assert shown._thread.is_alive()
        work.update(2)
    assert work.done == 3
