"""Which metric sees which fault, on one tree that is shifted, interrupted twelve times, or short of a branch."""

from pathlib import Path

import numpy as np
import pytest

from helpers.dev.measure import fault_table, turned_cldice
from helpers.metrics.case_scores import CaseArrays, score_case
from tests.support.drawn_masks import faulty, vessel_tree

METRICS_PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


@pytest.fixture(scope="module")
def seen():
    return fault_table.scores()


def test_the_table_is_the_one_of_the_page():
    assert fault_table.table() in METRICS_PAGE.read_text(encoding="utf-8")


def test_twelve_gaps_make_twelve_pieces_more():
    faults = fault_table.faults()
    lost = fault_table.tree() & ~faults["12 gaps of 5 px"]
    assert lost.sum() == 8 * 5 * 7 + 4 * 5 * 3 and (fault_table.tree() >= faults["thinnest branch missing"]).all()


def test_the_tree_itself_has_no_fault():
    perfect = score_case(CaseArrays("same", fault_table.tree(), fault_table.tree())).values
    assert perfect["dice"] == perfect["cldice"] == perfect["nsd_1px"] == 1
    assert perfect["hd95_px"] == perfect["betti0_error"] == perfect["broken_branches"] == 0


def test_a_shift_is_seen_by_dice_and_by_no_metric_of_the_tree(seen):
    found = seen["shifted by 1 px"]
    assert found["dice"] < 0.99
    assert found["nsd_1px"] == 1 and found["hd95_px"] == 1
    assert found["cldice"] > 0.97 and found["betti0_error"] == found["broken_branches"] == 0


def test_gaps_are_seen_by_pieces_and_broken_branches_and_hardly_by_dice(seen):
    found = seen["12 gaps of 5 px"]
    assert found["betti0_error"] == 12
    assert found["broken_branches"] == 3 and 55 <= found["broken_length_px"] <= 65
    assert 1 - found["dice"] < 0.06 and 1 - found["topology_sensitivity"] > 2 * (1 - found["dice"])
    assert found["topology_precision"] == 1 and found["betti1_error"] == 0


def test_a_missing_branch_is_seen_by_thin_recall_and_length_and_not_by_pieces(seen):
    found = seen["thinnest branch missing"]
    assert found["betti0_error"] == 0 and found["broken_branches"] == 1
    assert found["broken_length_px"] > 70 and found["recall_thin"] < 0.15
    assert found["recall_thick"] == 1 and found["dice"] > 0.95 and found["hd95_px"] > 10


def test_turning_a_frame_changes_what_rests_on_centrelines_alone():
    """Ties of thinning are broken by direction; docs/metrics.md says how much that is."""
    on_lines = ("cldice", "topology_precision", "topology_sensitivity", "broken", "recall_")
    moved = set()
    for seed in range(6):
        rng = np.random.default_rng(seed)
        truth = vessel_tree(rng)
        mask = faulty(truth, rng)
        before, after = (score_case(CaseArrays("c1", np.rot90(truth, k), np.rot90(mask, k))).values for k in (0, 1))
        moved |= {name for name in before if before[name] != pytest.approx(after[name], abs=1e-12, nan_ok=True)}
        assert abs(before["cldice"] - after["cldice"]) < 0.05
    assert "cldice" in moved and all(name.startswith(on_lines) for name in moved)


def test_the_command_that_measures_turning_prints_the_rows_of_the_page():
    scores = turned_cldice.turned(2, 64)
    assert scores.shape[1:] == (2, 4) and ((scores >= 0) & (scores <= 1)).all()
    lines = turned_cldice.table({64: scores}).splitlines()
    assert len(lines) == 3 and lines[2].startswith(f"| {len(scores)} of 64 px | ")
    page = METRICS_PAGE.read_text(encoding="utf-8")
    assert "\n".join(lines[:2]) in page and "python -m helpers.dev.measure.turned_cldice" in page
