"""clDice by hand, by an independent implementation, and by its properties."""

import numpy as np
import pytest
from hypothesis import given
from scipy.ndimage import binary_erosion

from helpers.metrics.centreline import centreline_scores, skeleton
from tests.support.drawn_masks import bar, drawn, faulty, filled_masks, masks, steady, vessel_tree
from tests.support.independent_metrics import cldice_by_points


def scores(truth, found):
    return centreline_scores(truth, found, skeleton(truth), skeleton(found))


def test_the_skeleton_of_a_line_is_the_line():
    line = bar(5, 7, rows=slice(2, 3), columns=slice(1, 6))
    assert np.array_equal(skeleton(line), line)


def test_by_hand_a_line_found_by_half():
    truth = bar(5, 9, rows=slice(2, 3), columns=slice(0, 8))
    found = bar(5, 9, rows=slice(2, 3), columns=slice(0, 4))
    assert scores(truth, found) == pytest.approx(
        {"topology_precision": 1, "topology_sensitivity": 0.5, "cldice": 2 / 3}
    )


def test_by_hand_a_false_line_halves_precision():
    truth = drawn("....... #####.. ....... ....... .......")
    found = drawn("....... #####.. ....... .#####. .......")
    assert scores(truth, found) == pytest.approx(
        {"topology_precision": 0.5, "topology_sensitivity": 1, "cldice": 2 / 3}
    )


def test_lines_that_never_meet_score_zero():
    found = scores(drawn("##### ..... ....."), drawn("..... ..... #####"))
    assert found == {"topology_precision": 0, "topology_sensitivity": 0, "cldice": 0}


def test_width_alone_does_not_matter():
    thick = bar(9, 40, rows=slice(2, 7), columns=slice(2, 38))
    thin = bar(9, 40, rows=slice(3, 6), columns=slice(2, 38))
    assert scores(thick, thin)["cldice"] > 0.98


def test_agrees_with_an_independent_implementation_on_200_trees():
    rng = np.random.default_rng(2)
    for _ in range(200):
        truth = vessel_tree(rng, 64)
        found = faulty(truth, rng)
        assert scores(truth, found)["cldice"] == pytest.approx(cldice_by_points(truth, found), abs=1e-6)


@steady
@given(filled_masks())
def test_a_mask_with_pixels_keeps_a_centreline_inside_itself(mask):
    line = skeleton(mask)
    assert line.any() and not (line & ~mask).any()


@steady
@given(filled_masks(), filled_masks())
def test_symmetry_bounds_identity(one, other):
    there, back = scores(one, other), scores(other, one)
    assert there["cldice"] == pytest.approx(back["cldice"])
    assert there["topology_precision"] == back["topology_sensitivity"]
    assert all(0 <= value <= 1 for value in there.values())
    assert scores(one, one)["cldice"] == 1


@steady
@given(filled_masks(), masks())
def test_eroding_the_prediction_never_raises_sensitivity(truth, found):
    assert scores(truth, binary_erosion(found))["topology_sensitivity"] <= scores(truth, found)["topology_sensitivity"]
