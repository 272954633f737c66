"""The grid that a baseline's settings are chosen from; docs/baselines.md lists it."""

from dataclasses import replace
from itertools import product

from helpers.vesselness.settings import Intensity, Ridge, Settings

SCALES = ((2.0, 3.0), (3.0, 4.0), (3.0, 4.0, 5.0), (4.0, 5.0), (3.0, 5.0, 7.0))

SMALLEST = (0, 500, 1000, 2000)


def candidates() -> tuple[Settings, ...]:
    """All settings to try, apart from the threshold, which is swept; those of the same filter stand together."""
    return tuple(
        Settings(ridge, intensity, scales, smallest, threshold=1.0)
        for ridge, intensity, scales, smallest in product(Ridge, Intensity, SCALES, SMALLEST)
    )


def with_threshold(candidate: Settings, threshold: float) -> Settings:
    """A candidate at a threshold, rounded to four digits as it is written."""
    return replace(candidate, threshold=float(f"{threshold:.4g}"))
