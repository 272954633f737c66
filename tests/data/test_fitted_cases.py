"""Truths of another size than their frame, which are fitted to it and counted."""

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from helpers.data.cases import Case
from helpers.data.fitted_cases import cases_drawn_on, rescaled_cases
from helpers.data.frames.frame import Frame


@dataclass(frozen=True)
class Drawn:
    """A truth of a full mask that was drawn on a size, or does not say on which."""

    size: tuple[int, int] | None

    def rescaled_mask(self, width, height, made_for=None):
        return np.ones((height, width), bool)


@pytest.fixture
def case(tmp_path):
    def make(name, size):
        path = tmp_path / f"{name}.png"
        Image.new("L", (8, 6)).save(path)
        return Case(Frame(name, path), None if size == "none" else Drawn(size))

    return make


def test_only_truths_of_another_size_are_rescaled_and_counted(case):
    given = [case("same", (8, 6)), case("half", (4, 3)), case("unstated", None), case("without", "none")]
    fitted, count = rescaled_cases(given)
    assert count == 1 and [one is other for one, other in zip(fitted, given, strict=True)] == [True, False, True, True]
    assert fitted[1].truth.mask(8, 6).shape == (6, 8)


def test_truths_that_state_no_size_are_taken_as_drawn_on_it(case):
    given = [case("stated", (4, 3)), case("unstated", None)]
    fitted, count = cases_drawn_on(given, (4, 3))
    assert count == 1 and fitted[0] is given[0] and fitted[1] is not given[1]
    assert cases_drawn_on(given, (8, 6))[1] == 0  # of the frame's own size: nothing changes


def test_a_frame_that_cannot_be_read_changes_nothing(case):
    one = case("broken", (4, 3))
    one.frame.path.write_bytes(b"broken")
    assert rescaled_cases([one]) == ([one], 0)
