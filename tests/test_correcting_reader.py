"""What the reader of the study on corrections plants and draws, on masks that can be checked by eye; the tutorial."""

from pathlib import Path

import numpy as np

from scripts.correcting_reader import strokes, with_errors
from scripts.correction_study import SIDE
from scripts.tutorial_pictures import tutorial_lines


def vessel() -> np.ndarray:
    """A straight vessel, 8 pixels wide."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[250:258, 100:400] = True
    return mask


def test_two_gaps_and_a_false_piece_are_planted():
    mask = vessel()
    planted = with_errors(mask, 3)
    missing, false = mask & ~planted, planted & ~mask
    assert 100 < missing.sum() <= 2 * 20 * 8 and 150 < false.sum() < 500
    assert np.array_equal(planted, with_errors(mask, 3)) and not np.array_equal(planted, with_errors(mask, 4))


def test_an_empty_mask_gets_a_false_piece_alone():
    assert 150 < with_errors(np.zeros((SIDE, SIDE), bool), 0).sum() < 500


def test_what_is_missing_is_painted_and_what_is_false_is_taken_away():
    truth = vessel()
    mask = truth.copy()
    mask[:, 200:230] = False  # a gap
    mask[50:56, 100:150] = True  # a piece by itself
    mask[258:290, 300:308] = True  # one that hangs on the vessel
    found = list(strokes(mask, truth))
    assert [tool for tool, _, _ in found].count("x") == 1
    (click,) = [points for tool, _, points in found if tool == "x"]
    assert mask[click[0][1], click[0][0]] and click[0][1] < 60
    erased = [place for tool, _, points in found if tool == "e" for place in points]
    assert erased and all(300 <= x < 308 and 258 <= y < 290 for x, y in erased)
    painted = [place for tool, _, points in found if tool == "b" for place in points]
    assert painted and all(200 <= x < 230 and 250 <= y < 258 for x, y in painted)
    assert all(3 <= size <= 9 for tool, size, _ in found if tool != "x")


def test_readers_leave_what_is_small_or_along_an_outline():
    truth = vessel()
    mask = truth.copy()
    mask[258, 100:400] = True  # a row more
    mask[20:24, 20:24] = True
    assert list(strokes(mask, truth)) == []


def test_the_tutorials_lines_are_found_in_the_order_of_the_work():
    text = (Path(__file__).resolve().parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
    lines = [line.split()[1] for line in tutorial_lines(text)]
    way = ["inspect", "convert", "data", "predict", "evaluate", "visualize", "review", "export", "visualize"]
    assert lines == way and all("\\" not in line for line in tutorial_lines(text))
