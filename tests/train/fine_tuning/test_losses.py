"""Losses on sampled points, on maps that can be checked by eye."""

import math

import pytest
import torch

from helpers.train.fine_tuning.losses import PointSampling, iou_loss, mask_losses, sample_points, values_at


def seeded():
    return torch.Generator().manual_seed(0)


def test_values_are_read_at_pixel_centres_and_between():
    maps = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    points = torch.tensor([[[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.5, 0.5]]])
    assert values_at(maps, points)[0].tolist() == [0.0, 1.0, 2.0, 1.5]


def test_uncertain_points_are_preferred():
    logits = torch.full((1, 16, 16), 8.0)
    logits[:, :, 8:] = -8.0  # the decision falls at x = 0.5
    points = sample_points(logits, PointSampling(points=64, oversampling=40, uncertain=1.0), seeded())
    assert points.shape == (1, 64, 2)
    assert (points[..., 0] - 0.5).abs().max() < 0.12
    even = sample_points(logits, PointSampling(points=64, oversampling=8, uncertain=0.0), seeded())
    assert (even[..., 0] - 0.5).abs().max() > 0.4


def test_a_perfect_map_costs_nothing_and_a_wrong_one_much():
    truth = torch.stack([torch.ones(8, 8), torch.zeros(8, 8)])
    right = truth * 60 - 30
    sampling = PointSampling(points=200)
    entropy, dice = mask_losses(right, truth, sampling, seeded())
    assert entropy < 1e-6
    assert dice < 1e-6
    entropy, dice = mask_losses(-right, truth, sampling, seeded())
    assert entropy.item() == pytest.approx(30, abs=1e-3)
    assert dice > 0.9


def test_an_undecided_map_costs_one_bit():
    entropy, _ = mask_losses(torch.zeros(2, 8, 8), torch.ones(2, 8, 8), PointSampling(points=50), seeded())
    assert entropy.item() == pytest.approx(math.log(2))


def test_an_empty_truth_is_learnt_too():
    logits = torch.full((1, 8, 8), -3.0, requires_grad=True)
    entropy, dice = mask_losses(logits, torch.zeros(1, 8, 8), PointSampling(points=50), seeded())
    (entropy + dice).backward()
    assert (logits.grad >= 0).all()
    assert logits.grad.abs().sum() > 0


def test_truth_on_another_grid_is_read_at_the_same_places():
    coarse = torch.zeros(1, 4, 4)
    coarse[:, :, 2:] = 1
    fine = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
    logits = torch.randn(1, 16, 16, generator=seeded())
    sampling = PointSampling(points=4000, uncertain=0.0)
    losses = [float(mask_losses(logits, truth, sampling, seeded())[0]) for truth in (coarse, fine)]
    assert losses[0] == pytest.approx(losses[1], abs=0.1)


def test_the_estimate_of_the_iou_is_compared_with_the_masks_own():
    truth = torch.zeros(2, 4, 4)
    truth[0, :2] = 1
    logits = torch.full((2, 4, 4), -1.0)
    logits[0] = 1.0  # half of it is right; the second is rightly empty
    assert iou_loss(torch.tensor([0.5, 1.0]), logits, truth).item() == 0
    assert iou_loss(torch.tensor([0.0, 1.0]), logits, truth).item() == pytest.approx(0.125)
