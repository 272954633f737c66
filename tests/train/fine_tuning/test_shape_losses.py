"""Losses of centrelines and outlines, on maps that can be worked out by hand."""

import math

import pytest
import torch

from helpers.train.fine_tuning.shape_losses import (
    SHAPE_LOSSES,
    boundary_loss,
    centreline_loss,
    cldice_loss,
    on_grid,
    signed_distance,
    skeleton_iterations,
    soft_skeleton,
)


def rows(first, last, height=9, width=12):
    """A vessel across the frame in these rows, (1, H, W)."""
    mask = torch.zeros(1, height, width)
    mask[:, first : last + 1] = 1
    return mask


def test_logits_are_brought_to_the_truths_grid_as_prediction_does():
    logits = torch.tensor([[[0.0, 4.0]]])
    assert on_grid(logits, torch.zeros(1, 1, 4)).tolist() == [[[0.0, 1.0, 3.0, 4.0]]]


def test_the_skeleton_reaches_the_middle_of_the_widest_vessel():
    wide = rows(1, 15, height=17)  # fifteen pixels
    assert skeleton_iterations(wide) == 9  # eight erosions take it away, and one more
    assert soft_skeleton(wide, 9)[0, :, 5].nonzero().flatten().tolist() == [8]
    assert soft_skeleton(wide, 3)[0, :, 5].sum() == 9  # three, as is common, leave it nine pixels thick
    assert skeleton_iterations(rows(1, 0)) == 1


def test_a_centrelines_cross_entropy_is_that_of_both_centrelines():
    truth = rows(3, 5)
    assert centreline_loss(torch.zeros_like(truth), truth).item() == pytest.approx(math.log(2))
    # Right along the truth's centreline, row 4, and sure of nothing else: e = ln(1 + exp(-2)) there.
    logits = torch.where(rows(4, 4) > 0, 2.0, -40.0)
    expected = math.log(1 + math.exp(-2))
    assert centreline_loss(logits, truth).item() == pytest.approx(expected, rel=1e-4)
    # A whole invented vessel costs through the prediction's own centreline: (ln(1 + e^-9) + 9) / 2 of two rows, halved.
    both = torch.where(rows(4, 4, 15) + rows(11, 11, 15) > 0, 9.0, -40.0)
    assert centreline_loss(both, rows(4, 4, 15)).item() == pytest.approx(9 / 4, abs=1e-2)


def test_cldice_is_that_of_soft_skeletons():
    truth = rows(3, 5)
    assert cldice_loss(truth * 60 - 30, truth).item() == pytest.approx(0, abs=1e-4)
    # Half of the centreline's 12 pixels are found: p = (6 + 1) / (6 + 1), s = (6 + 1) / (12 + 1).
    half = truth.clone()
    half[:, :, 6:] = 0
    share = 7 / 13
    assert cldice_loss(half * 60 - 30, truth).item() == pytest.approx(1 - 2 * share / (1 + share), abs=1e-3)


def test_cldice_rewards_what_bridges_a_gap_that_the_truth_lacks_and_not_one_that_it_has():
    whole, open_ = rows(3, 5, width=30), rows(3, 5, width=30)
    open_[:, :, 12:18] = 0
    bridged, gap = whole * 60 - 30, open_ * 60 - 30
    assert cldice_loss(bridged, whole) < cldice_loss(gap, whole)
    assert cldice_loss(gap, open_) < cldice_loss(bridged, open_)


def test_the_distance_is_from_the_outline_and_has_an_end():
    truth = torch.tensor([[[0.0, 0, 0, 1, 1, 1, 0, 0]]])
    assert signed_distance(truth, 4).flatten().mul(4).tolist() == [2.5, 1.5, 0.5, -0.5, -1.5, -0.5, 0.5, 1.5]
    point = torch.zeros(1, 5, 5)
    point[0, 0, 0] = 1
    assert signed_distance(point, 16)[0, 3, 4].item() * 16 == pytest.approx(4.5)  # five pixels aslant
    assert signed_distance(point, 2)[0, 3, 4] == 1
    assert (signed_distance(torch.zeros(1, 4, 4), 16) == 1).all() and (
        signed_distance(torch.ones(1, 4, 4), 16) == -1
    ).all()


def test_the_boundary_loss_is_the_mean_of_distances_where_vessels_are_predicted():
    truth = torch.tensor([[[0.0, 0, 1, 0]]])
    logits = torch.tensor([[[40.0, -40, 40, -40]]])
    assert boundary_loss(logits, truth).item() == pytest.approx((1.5 - 0.5) / 16 / 4)
    assert boundary_loss(truth * 80 - 40, truth) < boundary_loss(logits, truth)


@pytest.mark.parametrize("loss", SHAPE_LOSSES.values())
def test_empty_masks_are_defined_and_gradients_finite(loss):
    for truth in (rows(3, 5), torch.zeros(1, 9, 12), torch.ones(1, 9, 12)):
        logits = torch.randn(1, 9, 12, generator=torch.Generator().manual_seed(0)).mul(20).requires_grad_()
        value = loss(logits, truth)
        value.backward()
        assert value.isfinite() and logits.grad.isfinite().all() and logits.grad.abs().sum() > 0
    nothing = torch.zeros(1, 9, 12)
    assert loss(nothing - 40, nothing).item() == pytest.approx(0, abs=1e-6)
    assert loss(nothing + 4, nothing) > 0.1
