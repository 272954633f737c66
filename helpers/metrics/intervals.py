"""95 % intervals of means over independent units.

The unit is the patient (else the sequence, else the case): frames of one patient resemble each other, and an interval
over frames is too narrow. The interval is Student's t over unit means, on a scale that keeps its ends within the
bounds of the score: the logit of a share, the logarithm of a distance or count, a difference as it is. It was chosen
among others by `helpers.dev.measure.interval_simulation`, whose table stands in docs/metrics.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t as student

LEVEL = 0.95
DRAWS = 10_000
SEED = 20_240_501
FEWEST_UNITS = 10
"""For p-values, and for percentiles of bootstrap draws."""
FEWEST_FOR_INTERVAL = 5
"""The simulation begins here. With fewer, each unit's mean is shown in the place of an interval."""

ROUNDED = 1e-12
"""Units, or ends of an interval, that are nearer than this are equal: sums are rounded."""

# Keeps the drawn indices of one block near 64 MB, however many units there are.
_BLOCK = 8_000_000


class Scale(StrEnum):
    """Bounds of a score, which its interval keeps to."""

    SHARE = "share"  # 0 .. 1
    AMOUNT = "amount"  # 0 and more
    DIFFERENCE = "difference"  # of either sign


class Method(StrEnum):
    """How an interval was made, as tables name it."""

    LOGIT_T = "Student's t, logit scale"
    LOG_T = "Student's t, log scale"
    T = "Student's t"
    PERCENTILE = "percentile bootstrap"
    EQUAL = "none: all units equal"  # says why there is none: equal units tell nothing of how much units differ


METHODS = {Scale.SHARE: Method.LOGIT_T, Scale.AMOUNT: Method.LOG_T, Scale.DIFFERENCE: Method.T}


@dataclass(frozen=True)
class Interval:
    """A mean with its interval.

    Attributes:
        estimate: from the units as they are; None where there is no unit.
        low, high: bounds; None with too few units, and where all are equal.
        units: number of independent units with a value.
        method: how the bounds were made; None with too few units, `EQUAL` where all are equal.
        level: how often the interval shall hold the true mean.
    """

    estimate: float | None
    low: float | None
    high: float | None
    units: int
    method: Method | None = None
    level: float = LEVEL

    @property
    def few(self) -> bool:
        """Whether it rests on so few units that no p-value is given."""
        return self.units < FEWEST_UNITS

    def row(self, name: str = "mean") -> dict[str, float | bool | str | None]:
        """As a part of a JSON object or of a table's row: the estimate under `name`, low, high, interval and few."""
        method = None if self.method is None else str(self.method)
        return {name: self.estimate, "low": self.low, "high": self.high, "interval": method, "few": self.few}


def mean_interval(unit_values: np.ndarray, scale: Scale) -> Interval:
    """Interval of the mean over units.

    Args:
        unit_values: one value for each unit, float (n,); NaN, a unit where the metric is undefined, is left out.
        scale: bounds of the values.
    """
    values = np.asarray(unit_values, np.float64)
    values = values[~np.isnan(values)]
    return ratio_interval(values, np.ones_like(values), scale)


def ratio_interval(numerators: np.ndarray, denominators: np.ndarray, scale: Scale) -> Interval:
    """Interval of a pooled ratio: the sum of one quantity over units by the sum of another.

    The standard error is that of the linearised ratio, sqrt(n / (n - 1) sum (a - r b)^2) / sum b, which for a mean is
    s / sqrt(n) (Cochran, Sampling Techniques, 1977, section 6.4). A few large units weigh as if there were fewer: the
    degrees of freedom are those of the effective number, (sum b)^2 / sum b^2 (Kish, Survey Sampling, 1965), less one.

    Args:
        numerators, denominators: one value of each for each unit, (n,), such as summed intersections and unions.
        scale: bounds of the ratio.
    """
    top, bottom = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    units, whole = top.size, bottom.sum()
    estimate = float(top.sum() / whole) if whole else None
    if units < FEWEST_FOR_INTERVAL or estimate is None:
        return Interval(estimate, None, None, units)
    error = np.sqrt(units / (units - 1) * ((top - estimate * bottom) ** 2).sum()) / whole
    if _are_equal(error, estimate):
        return Interval(estimate, None, None, units, Method.EQUAL)
    freedom = max(1.0, whole**2 / (bottom**2).sum() - 1)
    low, high = _bounds(np.array(estimate), np.array(error), np.array(freedom), scale)
    return Interval(estimate, float(low), float(high), units, METHODS[scale])


def column_intervals(values: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`mean_interval` of each column: mean, low and high, float (columns,); NaN where there is none.

    Args:
        values: float (units, columns); NaN of a unit is left out of its column.
        scale: bounds of all of them.
    """
    known = ~np.isnan(values)
    units, nothing = known.sum(axis=0), np.full(values.shape[1], np.nan)
    sums = np.where(known, values, 0.0).sum(axis=0)
    middle = np.divide(sums, units, out=nothing.copy(), where=units > 0)
    some = units >= FEWEST_FOR_INTERVAL
    bounds = np.full((2, values.shape[1]), np.nan)
    if some.any():
        squares = (np.where(known, values - np.where(units > 0, middle, 0.0), 0.0) ** 2).sum(axis=0)[some]
        errors = np.sqrt(squares / (units[some] - 1) / units[some])
        differ = ~_are_equal(errors, middle[some])
        some[some] = differ
        bounds[:, some] = _bounds(middle[some], errors[differ], units[some] - 1, scale)
    return middle, bounds[0], bounds[1]


def _are_equal(errors: np.ndarray, means: np.ndarray | float) -> np.ndarray:
    """Whether units differ by no more than sums are rounded."""
    return np.asarray(errors <= ROUNDED * np.maximum(1, np.abs(means)))


def _bounds(means: np.ndarray, errors: np.ndarray, freedom: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on a scale g: g(mean) ± t se g'(mean), brought back. Units differ, so that a mean is within its bounds."""
    reach = student.ppf((1 + LEVEL) / 2, freedom) * errors
    if scale is Scale.DIFFERENCE:
        return means - reach, means + reach
    if scale is Scale.AMOUNT:
        factor = np.exp(reach / means)
        return means / factor, means * factor
    step = reach / (means * (1 - means))
    return expit(logit(means) - step), expit(logit(means) + step)


def drawn_units(units: int, *, draws: int = DRAWS, seed: int = SEED) -> Iterator[np.ndarray]:
    """Places of the units in each bootstrap draw, with replacement, int32 (block, units), block after block."""
    rng = np.random.default_rng(seed)
    block = max(1, min(draws, _BLOCK // units))
    for start in range(0, draws, block):
        yield rng.integers(0, units, size=(min(block, draws - start), units), dtype=np.int32)
