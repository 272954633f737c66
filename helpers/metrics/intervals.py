"""Bootstrap intervals of means over independent units.

The unit is the patient (else the sequence, else the case): frames of one patient resemble each other, and an interval
that draws frames is too narrow.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
DRAWS = 10_000
SEED = 20_240_501
FEWEST_UNITS = 10

# Keeps the drawn indices of one block near 64 MB, however many units there are.
_BLOCK = 8_000_000


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval.

    Attributes:
        estimate: from the units as they are; None where there is no unit.
        low, high: percentile bounds; None with fewer than two units, which say nothing of their spread.
        units: number of independent units with a value.
        level, draws, seed: how it was made.
    """

    estimate: float | None
    low: float | None
    high: float | None
    units: int
    level: float = LEVEL
    draws: int = DRAWS
    seed: int = SEED

    @property
    def few(self) -> bool:
        """Whether it rests on too few units to be relied on."""
        return self.units < FEWEST_UNITS

    def row(self, name: str = "mean") -> dict[str, float | bool | None]:
        """As a part of a JSON object or of a table's row: the estimate under `name`, then low, high and few."""
        return {name: self.estimate, "low": self.low, "high": self.high, "few": self.few}


def mean_interval(unit_values: np.ndarray, *, draws: int = DRAWS, seed: int = SEED) -> Interval:
    """Interval of the mean over units.

    Args:
        unit_values: one value for each unit, float (n,); NaN, a unit where the metric is undefined, is left out.
    """
    values = np.asarray(unit_values, np.float64)
    values = values[~np.isnan(values)]
    return ratio_interval(values, np.ones_like(values), draws=draws, seed=seed)


def ratio_interval(
    numerators: np.ndarray, denominators: np.ndarray, *, draws: int = DRAWS, seed: int = SEED
) -> Interval:
    """Interval of a pooled ratio: the sum of one quantity over units by the sum of another, units drawn whole.

    Args:
        numerators, denominators: one value of each for each unit, (n,), such as summed intersections and unions.
    """
    top, bottom = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    whole = bottom.sum()
    estimate = float(top.sum() / whole) if whole else None
    if top.size < 2 or estimate is None:
        return Interval(estimate, None, None, top.size, draws=draws, seed=seed)
    drawn = _drawn_ratios(top, bottom, draws, seed)
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), top.size, draws=draws, seed=seed)


def drawn_units(units: int, *, draws: int = DRAWS, seed: int = SEED) -> Iterator[np.ndarray]:
    """Places of the units in each bootstrap draw, with replacement, int32 (block, units), block after block."""
    rng = np.random.default_rng(seed)
    block = max(1, min(draws, _BLOCK // units))
    for start in range(0, draws, block):
        yield rng.integers(0, units, size=(min(block, draws - start), units), dtype=np.int32)


def _drawn_ratios(top: np.ndarray, bottom: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The ratio of `draws` resamples of the units, float64 (draws,); NaN for one of empty units."""
    ratios = []
    for picked in drawn_units(top.size, draws=draws, seed=seed):
        sums = bottom[picked].sum(axis=1)
        ratios.append(np.divide(top[picked].sum(axis=1), sums, out=np.full(len(picked), math.nan), where=sums > 0))
    return np.concatenate(ratios)
