"""Losses of whole masks that look at centrelines and outlines, beside the point losses of `losses`; off by default.

All compare on the grid of the truth (`mask_side`), to which `on_grid` brings the decoder's logits as prediction does.
**What rewards a connected mask also rewards bridging an occlusion**, which is a gap: measure both (docs/training.md).
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

import torch
from torch import nn

BOUNDARY_REACH = 16
"""Pixels of the truth's grid beyond which a false pixel is not worse for being farther away."""


class ShapeLoss(StrEnum):
    """Names of the losses in a training config."""

    CENTRELINE = "loss_centreline"
    CLDICE = "loss_cldice"
    BOUNDARY = "loss_boundary"


def on_grid(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Logits (S, h, w), enlarged bilinearly to the grid of a truth (S, H, W): float32 (S, H, W)."""
    return nn.functional.interpolate(logits[:, None].float(), size=truth.shape[-2:], mode="bilinear")[:, 0]


def skeleton_iterations(truth: torch.Tensor) -> int:
    """Erosions until nothing is left of the widest vessel of a batch, and one more; 1 where there is no vessel.

    k iterations do not reach the middle of a vessel wider than 2 k + 2 pixels. The number follows from the truth's own
    grid, so that it doubles where `mask_side` does. The one more is for predictions a little wider than the truth.

    Args:
        truth: (S, H, W) of 0 and 1.
    """
    left, count = truth.float(), 1
    while bool((left > 0.5).any()) and count <= min(truth.shape[-2:]):
        left, count = _eroded(left), count + 1
    return count


def soft_skeleton(chances: torch.Tensor, iterations: int) -> torch.Tensor:
    """Centrelines of maps in [0, 1], differentiable: (S, H, W) to the same.

    What an opening takes away at each of `iterations` erosions is gathered: S = S + (1 - S) relu(P - open(P)) with
    P = erode(P) (Shit et al., clDice, CVPR 2021, algorithm 1). Erosion takes the least of a cross, dilation the most of
    a square. Beyond theirs, what is left at the end counts too: else a prediction that is wider than all vessels, or
    fills the frame, would have no centreline, and cost nothing.
    """
    found = nn.functional.relu(chances - _opened(chances))
    for _ in range(iterations):
        chances = _eroded(chances)
        rest = nn.functional.relu(chances - _opened(chances))
        found = found + (1 - found) * rest
    return found + (1 - found) * chances


def centreline_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy on centrelines: of the truth, where gaps cost, and of the prediction, where inventions do.

    L = 1/2 [sum(S_T e) / max(sum S_T, 1) + sum(S_P e) / max(sum S_P, 1)], with e the cross-entropy of a pixel, S_T the
    skeleton of the truth and S_P that of the prediction, which is a weight without gradient; the mean over masks. The
    idea is that of the centreline cross-entropy (Acebes et al., MICCAI 2024). Without a truth the first part is 0.

    Args:
        logits, truth: (S, H, W) on one grid, the truth of 0 and 1.
    """
    iterations = skeleton_iterations(truth)
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    parts = []
    for weights in (truth, logits.detach().sigmoid()):
        line = soft_skeleton(weights, iterations)
        parts.append((line * entropy).sum((1, 2)) / line.sum((1, 2)).clamp(min=1))
    return (torch.stack(parts).mean(0)).mean()


def cldice_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Soft clDice loss (Shit et al., CVPR 2021), the mean over masks.

    L = 1 - 2 p s / (p + s), p = (sum(S_P T) + 1) / (sum S_P + 1) and s = (sum(S_T P) + 1) / (sum S_T + 1), with S_P and
    S_T the soft skeletons of the chances P and the truth T. `skeleton_iterations` reaches the widest vessel. Both
    empty: 0; with an empty truth s is 1, and what is predicted costs through p.

    Args:
        logits, truth: (S, H, W) on one grid, the truth of 0 and 1.
    """
    iterations = skeleton_iterations(truth)
    chances = logits.sigmoid()
    found, wanted = soft_skeleton(chances, iterations), soft_skeleton(truth, iterations)
    precise = ((found * truth).sum((1, 2)) + 1) / (found.sum((1, 2)) + 1)
    sensitive = ((wanted * chances).sum((1, 2)) + 1) / (wanted.sum((1, 2)) + 1)
    return (1 - 2 * precise * sensitive / (precise + sensitive)).mean()


def boundary_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Boundary loss (Kervadec et al., MIDL 2019), the mean over pixels and masks, from -1 to 1.

    L = mean(d P) with P the chances and d the signed distance of `signed_distance`: a false pixel costs the more the
    farther it is from the truth's outline, and a right one gains the more the deeper it lies. A perfect mask is below
    0. With an empty truth d is 1 everywhere.

    Args:
        logits, truth: (S, H, W) on one grid, the truth of 0 and 1.
    """
    return (signed_distance(truth, BOUNDARY_REACH) * logits.sigmoid()).mean()


def signed_distance(truth: torch.Tensor, reach: int) -> torch.Tensor:
    """Distance to the outline of a truth (S, H, W) as a share of `reach`, -1 to 1, negative inside; Euclidean, float32.

    Pixel centres next to the outline are half a pixel away. From `reach` pixels on it is 1, or -1.
    """
    outside, inside = (_distance(truth > 0.5, reach), _distance(truth <= 0.5, reach))
    return ((outside - 0.5).clamp(min=0) - (inside - 0.5).clamp(min=0)).clamp(-reach, reach) / reach


def _distance(marked: torch.Tensor, reach: int) -> torch.Tensor:
    """From each pixel to the nearest marked one, 0 on it; more than `reach` where none is as near."""
    far = float(reach + 1)
    squared = torch.where(marked, 0.0, far**2)
    for axis in (-1, -2):
        # Squared distances are separable: first along rows, then the best of all rows.
        squared = _least_shifted(squared, axis, reach, far**2)
    return squared.sqrt()


def _least_shifted(squared: torch.Tensor, axis: int, reach: int, far: float) -> torch.Tensor:
    size = squared.shape[axis]
    sides = (reach, reach) if axis == -1 else (0, 0, reach, reach)
    padded = nn.functional.pad(squared, sides, value=far)
    least = squared
    for step in range(-reach, reach + 1):
        least = torch.minimum(least, padded.narrow(axis, reach + step, size) + float(step**2))
    return least


def _eroded(maps: torch.Tensor) -> torch.Tensor:
    """Least of a cross of five; beyond the frame there is nothing to take away from."""
    up = -nn.functional.max_pool2d(-maps[:, None], (3, 1), 1, (1, 0))
    across = -nn.functional.max_pool2d(-maps[:, None], (1, 3), 1, (0, 1))
    return torch.minimum(up, across)[:, 0]


def _opened(maps: torch.Tensor) -> torch.Tensor:
    return nn.functional.max_pool2d(_eroded(maps)[:, None], 3, 1, 1)[:, 0]


SHAPE_LOSSES: Mapping[ShapeLoss, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    ShapeLoss.CENTRELINE: centreline_loss,
    ShapeLoss.CLDICE: cldice_loss,
    ShapeLoss.BOUNDARY: boundary_loss,
}
