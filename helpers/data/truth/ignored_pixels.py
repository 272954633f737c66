"""Pixels of a ground truth that are ignored: neither vessel nor background, and not scored."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from helpers.data.cases import Truth


@runtime_checkable
class PartlyScored(Protocol):
    """A truth of which some pixels may be ignored: they are neither vessel nor background, and are not scored."""

    def ignored(self, width: int, height: int) -> np.ndarray | None:
        """The ignored pixels, bool (height, width); None where there is none. Raises as `Truth.mask`."""

    def rescaled_ignored(self, width: int, height: int, made_for: tuple[int, int] | None = None) -> np.ndarray | None:
        """The same of an annotation made for another size."""


def ignored_of(truth: Truth, width: int, height: int) -> np.ndarray | None:
    """The pixels of a truth that are not scored, bool (height, width); None where there is none.

    Raises:
        RefusedInput: as `Truth.mask`.
    """
    return truth.ignored(width, height) if isinstance(truth, PartlyScored) else None


def rescaled_ignored_of(
    truth: Truth, width: int, height: int, made_for: tuple[int, int] | None = None
) -> np.ndarray | None:
    """As `ignored_of`, of an annotation made for another size."""
    return truth.rescaled_ignored(width, height, made_for) if isinstance(truth, PartlyScored) else None


def scored_pixels(ignored: np.ndarray | None) -> Callable[[np.ndarray], np.ndarray]:
    """A function that leaves the ignored pixels out of arrays (H, W): they become (1, N); without any they stay.

    Args:
        ignored: bool (H, W); None for none.
    """
    if ignored is None or not ignored.any():
        return as_it_is
    scored = ~ignored
    return lambda array: array[scored][None]


def as_it_is(array: np.ndarray) -> np.ndarray:
    """The array itself: all its pixels are scored."""
    return array
