"""The ceiling of the grid, and masks that show nothing."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from helpers.evaluation.score_table import reference_bound_means
from helpers.metrics.overlap import count_pixels, dice
from helpers.metrics.reference_bounds import ReferenceBounds, reference_bounds, through_grid
from tests.support.drawn_masks import bar, vessel_tree
from tests.support.score_tables import table


def test_of_a_block_that_fits_the_grid():
    """8 of 32 rows are vessel: Dice to a full frame is 2 * 8 / (8 + 32)."""
    truth = bar(32, 32, rows=slice(8, 16), columns=slice(0, 32))
    assert reference_bounds(truth) == ReferenceBounds(ceiling=1.0, all_empty=0.0, all_foreground=pytest.approx(0.4))


def test_an_empty_frame():
    assert reference_bounds(np.zeros((8, 8), bool)) == ReferenceBounds(ceiling=1.0, all_empty=1.0, all_foreground=0.0)


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
    assert reference_bounds(tree).ceiling > 0.9
    assert np.array_equal(through_grid(tree), through_grid(tree, grid=256))


def test_they_are_averaged_as_the_scores_are():
    """Two frames of one patient weigh as much as the one of the other."""
    scores = table(("a", "s1", "P1", 5), ("b", "s1", "P1", 5), ("c", "s2", "P2", 5))
    full, empty = np.ones((8, 8), bool), np.zeros((8, 8), bool)
    truths = {"c": empty, "a": full, "b": empty}
    rows = [{"case_id": case_id, **asdict(reference_bounds(truth))} for case_id, truth in truths.items()]
    found = reference_bound_means(pd.DataFrame(rows), scores)
    assert found == {"ceiling": 1.0, "all_empty": 0.75, "all_foreground": 0.25}
