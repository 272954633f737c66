"""Losses of masks on sampled points, uncertain ones foremost, so that thin vessels weigh as much as large areas."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class PointSampling:
    """Where a mask is compared with the truth.

    Attributes:
        points: compared of each mask.
        oversampling: candidates drawn for each of them.
        uncertain: share of the points that are the candidates nearest to the decision.
    """

    points: int = 12544
    oversampling: float = 3.0
    uncertain: float = 0.75


def sample_points(logits: torch.Tensor, sampling: PointSampling, random: torch.Generator) -> torch.Tensor:
    """Places to compare: uncertain ones, and others drawn evenly.

    Args:
        logits: (S, h, w).
        random: on the logits' device.
    Returns:
        (S, points, 2), x and y in [0, 1], without gradient.
    """
    count, device = len(logits), logits.device
    drawn = torch.rand((count, int(sampling.points * sampling.oversampling), 2), generator=random, device=device)
    most = int(sampling.points * sampling.uncertain)
    uncertainty = -values_at(logits.detach(), drawn).abs()
    picked = uncertainty.topk(most, dim=1).indices[..., None].expand(-1, -1, 2)
    even = torch.rand((count, sampling.points - most, 2), generator=random, device=device)
    return torch.cat([drawn.gather(1, picked), even], dim=1)


def values_at(maps: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Bilinear values of maps (S, h, w) at points (S, P, 2), x and y in [0, 1] from edge to edge: (S, P) float32."""
    grid = (2 * points - 1)[:, :, None]
    found = nn.functional.grid_sample(maps[:, None].float(), grid, padding_mode="border", align_corners=False)
    return found[:, 0, :, 0]


def mask_losses(
    logits: torch.Tensor, truth: torch.Tensor, sampling: PointSampling, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy and Dice loss, means over S masks, float32 scalars.

    Args:
        logits: (S, h, w).
        truth: (S, H, W) in [0, 1], of the same frame on any grid.
        random: on the logits' device.
    """
    points = sample_points(logits, sampling, random)
    found, wanted = values_at(logits, points), values_at(truth, points)
    entropy = nn.functional.binary_cross_entropy_with_logits(found, wanted)
    chances = found.sigmoid()
    overlap = (chances * wanted).sum(1)
    dice = 1 - (2 * overlap + 1) / (chances.sum(1) + wanted.sum(1) + 1)
    return entropy, dice.mean()


def iou_loss(estimates: torch.Tensor, logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Squared error of SAM2's own estimates of the IoU, a float32 scalar.

    Args:
        estimates: (S,) of the masks chosen.
        logits: (S, h, w) of these masks.
        truth: (S, H, W) in [0, 1].
    """
    small = nn.functional.interpolate(truth[:, None].float(), size=logits.shape[-2:], mode="area")[:, 0] > 0.5
    marked = logits.detach() > 0
    both, either = (marked & small).sum((1, 2)), (marked | small).sum((1, 2))
    return nn.functional.mse_loss(estimates.float(), torch.where(either > 0, both / either.clamp(min=1), 1.0))
