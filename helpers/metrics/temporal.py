"""Changes of masks from frame to frame of a sequence, compared with those of the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers.metrics.intervals import Scale
from helpers.metrics.masks import as_masks
from helpers.metrics.overlap import count_pixels, overlap_scores


@dataclass(frozen=True)
class TemporalMetric:
    """A number for each sequence.

    Attributes:
        better: `higher`, `lower`, or `as the truth` for one that is read beside another.
        scale: bounds of its values, which an interval of their mean keeps to.
    """

    name: str
    title: str
    text: str
    better: str
    scale: Scale = Scale.SHARE


TEMPORAL = (
    TemporalMetric("dice", "Dice", "mean over the frames of a sequence", "higher"),
    TemporalMetric("cldice", "clDice", "mean over the frames of a sequence", "higher"),
    TemporalMetric(
        "flicker",
        "Flicker",
        "pixels that enter or leave the mask from one frame to the next where the truth does not change, by the pixels "
        "of the two masks together; mean over neighbouring frames",
        "lower",
    ),
    TemporalMetric(
        "temporal_dice", "Temporal Dice", "Dice of the masks of neighbouring frames, mean over them", "as the truth"
    ),
    TemporalMetric(
        "temporal_dice_gap",
        "Temporal Dice, distance to the truth's",
        "distance of the temporal Dice of masks and of the truth, mean over neighbouring frames",
        "lower",
    ),
    TemporalMetric(
        "first_gap",
        "First-frame gap",
        "mean Dice of the frames between, less the Dice of the first frame; of frames with vessels in the truth",
        "lower",
        Scale.DIFFERENCE,
    ),
    TemporalMetric(
        "last_gap",
        "Last-frame gap",
        "mean Dice of the frames between, less the Dice of the last frame; of frames with vessels in the truth",
        "lower",
        Scale.DIFFERENCE,
    ),
)


@dataclass(frozen=True)
class FrameStep:
    """From one frame to the next.

    Attributes:
        flicker: share of the two masks' pixels that change where the truth does not, 0 .. 1.
        temporal_dice, truth_dice: Dice of the two masks, and of the two truths; 1 where both are empty.
    """

    flicker: float
    temporal_dice: float
    truth_dice: float


def step(truth: np.ndarray, next_truth: np.ndarray, mask: np.ndarray, next_mask: np.ndarray) -> FrameStep:
    """The change between neighbouring frames; masks (H, W). Raises RefusedInput as `as_mask`, and for two shapes."""
    truth, next_truth, mask, next_mask = as_masks(truth=truth, next_truth=next_truth, mask=mask, next_mask=next_mask)
    either = np.count_nonzero(mask | next_mask)
    unasked = np.count_nonzero((mask ^ next_mask) & ~(truth ^ next_truth))
    return FrameStep(
        flicker=unasked / either if either else 0.0,
        temporal_dice=overlap_scores(count_pixels(mask, next_mask))["dice"],
        truth_dice=overlap_scores(count_pixels(truth, next_truth))["dice"],
    )


def end_gaps(dice: Sequence[float], has_vessels: Sequence[bool]) -> tuple[float, float]:
    """First-frame and last-frame gap of a sequence, see `TEMPORAL`; NaN with fewer than three frames with vessels.

    Args:
        dice: of each frame in order of time.
        has_vessels: whether the truth of each frame is not empty.
    """
    kept = np.asarray(dice, np.float64)[np.asarray(has_vessels, bool)]
    if len(kept) < 3:
        return np.nan, np.nan
    between = kept[1:-1].mean()
    return float(between - kept[0]), float(between - kept[-1])
