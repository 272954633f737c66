"""Pieces and holes, by hand."""

import numpy as np
import pytest
from hypothesis import given
from scipy.ndimage import binary_erosion
from skimage.measure import euler_number

from helpers.metrics.masks import crop_pair
from helpers.metrics.topology import (
    BettiNumbers,
    betti_numbers,
    branch_labels,
    broken_branches,
    calibre_recall,
    centreline_scores,
    skeleton,
    topology_scores,
    widths_inside,
)
from tests.support.drawn_masks import bar, drawn, faulty, filled_masks, masks, steady, vessel_tree
from tests.support.independent_metrics import cldice_by_points

LINE = bar(5, 12, rows=slice(2, 3), columns=slice(1, 11))
CROSS = drawn("""
    ....#....
    ....#....
    ....#....
    ....#....
    #########
    ....#....
    ....#....
    ....#....
    ....#....
""")


@pytest.mark.parametrize(
    ("picture", "pieces", "holes"),
    [
        ("..... ..... .....", 0, 0),
        ("##### ##### #####", 1, 0),
        ("#...# ..... #...#", 4, 0),
        ("#.... .#... ..#..", 1, 0),  # a diagonal line is one piece
        ("..... .###. .#.#. .###. .....", 1, 1),
        (".#. #.# .#.", 1, 1),  # a closed diagonal line encloses its middle
        ("### #.# #.#", 1, 0),  # open towards the edge of the frame
        ("#####.. #.#.#.. #####..", 1, 2),
        (".###. .#.#. .#.#. .#.#. .###.", 1, 1),
    ],
)
def test_by_hand(picture, pieces, holes):
    assert betti_numbers(drawn(picture)) == BettiNumbers(pieces, holes)


def test_errors_are_absolute_differences():
    ring, dots = drawn("..... .###. .#.#. .###. ....."), drawn("#...# ..... #...# ..... .....")
    assert topology_scores(ring, dots) == topology_scores(dots, ring) == {"betti0_error": 3, "betti1_error": 1}


@steady
@given(masks())
def test_pieces_less_holes_is_the_euler_number(mask):
    found = betti_numbers(mask)
    assert found.pieces - found.holes == euler_number(mask, connectivity=2)


@steady
@given(filled_masks())
def test_a_mask_has_no_error_against_itself(mask):
    assert set(topology_scores(mask, mask).values()) == {0}


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


def without(mask, rows, columns):
    changed = mask.copy()
    changed[rows, columns] = False
    return changed


def test_a_cross_has_four_branches():
    assert branch_labels(CROSS).max() == 4
    assert branch_labels(LINE).max() == 1


@pytest.mark.parametrize("turns", range(4))
def test_junctions_are_found_whichever_way_they_lie(turns):
    """Where a stem meets a bar, four pixels have more than two neighbours; three branches are left."""
    tee = np.rot90(drawn("####### ...#... ...#... ...#..."), turns)
    labels = branch_labels(tee)
    assert labels.max() == 3 and np.count_nonzero(labels) == tee.sum() - 4
    assert sorted(np.bincount(labels.ravel())[1:]) == [2, 2, 2]


def test_a_gap_of_three_pixels_breaks_a_branch():
    found = without(LINE, 2, slice(4, 7))
    assert broken_branches(LINE, found) == {"broken_branches": 1, "broken_length_px": 3}


def test_a_gap_of_two_pixels_does_not():
    assert broken_branches(LINE, without(LINE, 2, slice(4, 6))) == {"broken_branches": 0, "broken_length_px": 0}


def test_two_gaps_break_one_branch_once():
    found = without(without(LINE, 2, slice(1, 4)), 2, slice(6, 10))
    assert broken_branches(LINE, found) == {"broken_branches": 1, "broken_length_px": 7}


def test_a_missing_branch_is_broken_over_its_whole_length():
    found = without(CROSS, slice(0, 4), 4)
    assert broken_branches(CROSS, found) == {"broken_branches": 1, "broken_length_px": 3}


def test_widths_of_bars():
    for width in (1, 3, 5, 7):
        mask = bar(13, 40, rows=slice(3, 3 + width), columns=slice(2, 38))
        widths = np.zeros(mask.shape)
        widths[mask] = widths_inside(mask, skeleton(mask))
        assert widths[3, 20] == width


def test_recall_is_told_apart_by_calibre():
    thick = bar(40, 60, rows=slice(2, 15), columns=slice(2, 58))
    medium = bar(40, 60, rows=slice(20, 27), columns=slice(2, 58))
    thin = bar(40, 60, rows=slice(35, 36), columns=slice(2, 58))
    truth = thick | medium | thin
    line = skeleton(truth)
    everything = calibre_recall(truth, line, truth)
    assert everything == {"recall_thin": 1, "recall_medium": 1, "recall_thick": 1}
    found = calibre_recall(truth, line, thick | medium)
    assert found["recall_thin"] == 0 and found["recall_medium"] == 1
    half = thin.copy()
    half[:, 30:] = False
    assert calibre_recall(truth, line, half)["recall_thin"] == pytest.approx(0.5)


def test_a_calibre_that_the_frame_lacks_is_undefined():
    found = calibre_recall(LINE, LINE, LINE)
    assert found["recall_thin"] == 1 and np.isnan([found["recall_medium"], found["recall_thick"]]).all()


@steady
@given(filled_masks(), masks())
def test_bounds_and_erosion(truth, found):
    truth, found = crop_pair(truth, found)
    line = skeleton(truth)
    before, after = (calibre_recall(truth, line, mask) for mask in (found, binary_erosion(found)))
    for name, value in before.items():
        assert np.isnan(value) == np.isnan(after[name])
        assert np.isnan(value) or 0 <= after[name] <= value <= 1
    whole, eroded = (broken_branches(line, mask)["broken_length_px"] for mask in (found, binary_erosion(found)))
    assert 0 <= whole <= eroded <= np.count_nonzero(line)


@pytest.mark.parametrize("line", [np.eye(6, dtype=bool), np.eye(6, dtype=bool)[::-1], LINE, LINE.T])
def test_a_straight_line_is_one_branch_whichever_way_it_lies(line):
    assert np.array_equal(branch_labels(line), line.astype(int))


def test_frames_without_vessels_have_no_recall_and_nothing_broken():
    empty = np.zeros((5, 12), bool)
    for prediction in (empty, LINE):
        assert np.isnan([*calibre_recall(empty, empty, prediction).values()]).all()
        assert broken_branches(empty, prediction) == {"broken_branches": 0, "broken_length_px": 0}
