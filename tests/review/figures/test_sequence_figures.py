"""Curves over the frames of a sequence."""

import numpy as np
import pandas as pd

from helpers.review.figures.score_figures import sequence_figure


def rows(run, positions, dice):
    return pd.DataFrame(
        {
            "run": run,
            "position": positions,
            "dice": dice,
            "flicker": [np.nan] + [0.1] * (len(positions) - 1),
            "mask_pixels": [1000 * (at + 1) for at in positions],
            "truth_pixels": [500 * (at + 1) for at in positions],
        }
    )


def lines(axis):
    """Label-free lines as (x, y) lists; NaN as None."""
    return [
        (list(line.get_xdata()), [None if np.isnan(y) else float(y) for y in line.get_ydata()])
        for line in axis.get_lines()
    ]


def test_each_run_has_its_line_and_a_frame_that_was_not_scored_is_a_gap():
    frames = pd.concat([rows("a_$x$", [0, 1, 3], [0.5, 0.6, 0.8]), rows("b", [0, 1, 3], [0.1, 0.2, 0.4])])
    figure = sequence_figure(frames, ["a_$x$", "b"], "P1-S1")
    dice, flicker, size = (lines(axis) for axis in figure.axes)
    assert dice == [([1, 2, 3, 4], [0.5, 0.6, None, 0.8]), ([1, 2, 3, 4], [0.1, 0.2, None, 0.4])]
    assert flicker[0][1] == [None, 0.1, None, 0.1]
    assert size[0][1] == size[1][1] == [1, 2, None, 4]
    assert size[2][1] == [0.5, 1, None, 2]  # the truth, drawn once
    shown = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert shown == ["a_$x$", "b", "ground truth"]
    assert "P1-S1" in figure.get_suptitle()


def test_a_run_keeps_its_look_whoever_else_is_drawn():
    frames = pd.concat([rows("a", [0, 1], [1, 1]), rows("b", [0, 1], [0, 0])])
    both, other = (sequence_figure(frames, runs, "S") for runs in (["a", "b"], ["a"]))
    assert both.axes[0].get_lines()[0].get_color() == other.axes[0].get_lines()[0].get_color()
    assert both.axes[0].get_lines()[0].get_color() != both.axes[0].get_lines()[1].get_color()
