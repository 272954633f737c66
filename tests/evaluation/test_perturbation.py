"""Which metric sees which fault, on one tree that is shifted, interrupted twelve times, or short of a branch."""

import numpy as np
import pytest

from helpers.evaluation.case_scores import CaseArrays, score_case

SIDE = 200


def line(mask, rows, columns):
    mask[rows, columns] = True


def tree():
    """A trunk 11 px wide, two side branches 7 px wide and one 3 px wide."""
    mask = np.zeros((SIDE, SIDE), bool)
    line(mask, slice(10, 190), slice(95, 106))
    line(mask, slice(40, 47), slice(20, 95))
    line(mask, slice(90, 97), slice(106, 180))
    line(mask, slice(150, 153), slice(106, 185))
    return mask


def with_gaps():
    mask = tree()
    for column in (30, 45, 60, 75):
        mask[40:47, column : column + 5] = False
    for column in (115, 130, 145, 160):
        mask[90:97, column : column + 5] = False
    for column in (115, 130, 145, 160):
        mask[150:153, column : column + 5] = False
    return mask


def without_a_branch():
    mask = tree()
    mask[150:153, 106:] = False
    return mask


@pytest.fixture(scope="module")
def seen():
    truth = tree()
    faults = {"same": truth, "shifted": np.roll(truth, 1, axis=1), "gaps": with_gaps(), "branch": without_a_branch()}
    return {name: score_case(CaseArrays(name, truth, mask)).values for name, mask in faults.items()}


def test_the_tree_itself_has_no_fault(seen):
    perfect = seen["same"]
    assert perfect["dice"] == perfect["cldice"] == perfect["nsd_1px"] == 1
    assert perfect["hd95_px"] == perfect["betti0_error"] == perfect["broken_branches"] == 0


def test_a_shift_is_seen_by_dice_and_by_no_metric_of_the_tree(seen):
    found = seen["shifted"]
    assert found["dice"] < 0.99
    assert found["nsd_1px"] == 1 and found["hd95_px"] == 1
    assert found["cldice"] > 0.97 and found["betti0_error"] == found["broken_branches"] == 0


def test_gaps_are_seen_by_pieces_and_broken_branches_and_hardly_by_dice(seen):
    found = seen["gaps"]
    assert found["betti0_error"] == 12
    assert found["broken_branches"] == 3 and 55 <= found["broken_length_px"] <= 65
    assert 1 - found["dice"] < 0.06 and 1 - found["topology_sensitivity"] > 2 * (1 - found["dice"])
    assert found["topology_precision"] == 1 and found["betti1_error"] == 0


def test_a_missing_branch_is_seen_by_thin_recall_and_length_and_not_by_pieces(seen):
    found = seen["branch"]
    assert found["betti0_error"] == 0 and found["broken_branches"] == 1
    assert found["broken_length_px"] > 70 and found["recall_thin"] < 0.15
    assert found["recall_thick"] == 1 and found["dice"] > 0.95 and found["hd95_px"] > 10
