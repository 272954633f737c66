"""The ceiling of the grid, and masks that show nothing."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from helpers.evaluation.aggregation import patient_means
from helpers.evaluation.overlap import count_pixels, dice
from helpers.evaluation.yardsticks import Yardsticks, through_grid, yardsticks
from tests.evaluation.masks import bar, vessel_tree


def test_of_a_block_that_fits_the_grid():
    """8 of 32 rows are vessel: Dice to a full frame is 2 * 8 / (8 + 32)."""
    truth = bar(32, 32, rows=slice(8, 16), columns=slice(0, 32))
    assert yardsticks(truth) == Yardsticks(ceiling=1.0, all_empty=0.0, all_foreground=pytest.approx(0.4))


def test_an_empty_frame():
    assert yardsticks(np.zeros((8, 8), bool)) == Yardsticks(ceiling=1.0, all_empty=1.0, all_foreground=0.0)


def test_a_line_of_one_pixel_is_lost_on_a_grid_of_half_the_size():
    line = bar(16, 16, rows=slice(5, 6), columns=slice(2, 14))
    assert dice(count_pixels(line, through_grid(line, grid=8))) < 1


def test_a_coarser_grid_has_a_lower_ceiling():
    tree = vessel_tree(np.random.default_rng(6), 256)
    found = [dice(count_pixels(tree, through_grid(tree, grid))) for grid in (256, 128, 64, 32)]
    assert found[0] == 1 and found == sorted(found, reverse=True) and 0.9 < found[1] < 1


def test_frames_need_not_be_square():
    tree = vessel_tree(np.random.default_rng(6), 300)[:, 40:260]
    assert through_grid(tree).shape == (300, 220)
    assert yardsticks(tree).ceiling > 0.9


def test_they_are_averaged_as_the_scores_are():
    full, empty = np.ones((8, 8), bool), np.zeros((8, 8), bool)
    cases = [("A", full), ("A", empty), ("B", empty)]
    rows = [
        {"case_id": f"c{number}", "sequence": None, "patient": patient, **asdict(yardsticks(truth))}
        for number, (patient, truth) in enumerate(cases)
    ]
    means = patient_means(pd.DataFrame(rows), ["all_empty", "all_foreground"])
    assert means["all_empty"].tolist() == [0.5, 1] and means["all_foreground"].tolist() == [0.5, 0]
