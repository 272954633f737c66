"""How far the members of an ensemble differ: a map for each frame and one number, without any ground truth.

A member is an answer about the same frame: the prediction itself, that of the mirrored frame mirrored back,
or that of another prompt. Nothing here is a chance of being right: what a number is worth is measured on patients.
"""

from collections.abc import Sequence

import numpy as np

# The standard deviation of values between 0 and 1 is at most a half.
MOST_SPREAD = 0.5


def disagreement(members: Sequence[np.ndarray]) -> float:
    """How far a mask is from those of the other members, 0 (equal) .. 1: one less the mean Dice with each of these.

    Two empty masks are equal.

    Args:
        members: at least two masks, bool (H, W); the prediction's own first.
    Raises:
        ValueError: for fewer than two, or maps of several sizes.
    """
    first, *others = _checked(members)
    return 1.0 - float(np.mean([_dice(first, other) for other in others]))


def spread(members: Sequence[np.ndarray]) -> np.ndarray:
    """Standard deviation of the members' maps at each pixel, float32 (H, W), 0 .. `MOST_SPREAD`.

    Args:
        members: at least two maps of probabilities, float (H, W), 0 .. 1.
    Raises:
        ValueError: as above.
    """
    maps = _checked(members)
    first = maps[0].astype(np.float32)
    offsets = [one.astype(np.float32) - first for one in maps]  # so that equal members have no spread at all
    mean = np.mean(offsets, axis=0, dtype=np.float32)
    squares = np.mean([(one - mean) ** 2 for one in offsets], axis=0, dtype=np.float32)
    return np.minimum(np.sqrt(squares), np.float32(MOST_SPREAD))


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    pixels = int(first.sum()) + int(second.sum())
    return 1.0 if pixels == 0 else 2.0 * int((first & second).sum()) / pixels


def _checked(members: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    sizes = {np.shape(one) for one in members}
    if len(members) < 2 or len(sizes) != 1:
        raise ValueError(f"members: expected at least two maps of one size, got {len(members)} of {sorted(sizes)}")
    return members
