"""How many patients an interval of a given width needs, from the spread of the patients at hand.

The bound of the spread was chosen among others by `helpers.dev.measure.interval_simulation`: docs/metrics.md.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from helpers.metrics.intervals import FEWEST_UNITS, LEVEL, Scale, mean_interval

HALF_WIDTHS = (0.02, 0.05)
SURE = 0.8
"""How sure it is that no more patients are needed than the larger number says: less where scores are very skewed."""

_NOMINAL = 0.9  # level of the bound, which holds less often than that where scores are skewed


@dataclass(frozen=True)
class PatientsNeeded:
    """What an interval of the mean takes.

    Attributes:
        half_width: of the interval, in the unit of the score.
        patients: with the spread as it was found.
        up_to: with the largest spread that the patients at hand leave possible, `SURE` of the time.
    """

    half_width: float
    patients: int
    up_to: int


def patients_needed(unit_means: np.ndarray, half_widths: tuple[float, ...] = HALF_WIDTHS) -> list[PatientsNeeded]:
    """Patients for intervals of given half widths, from a pilot; none from fewer than 10 patients, or equal ones.

    The smallest n with t(0.975, n - 1) s / sqrt(n) <= half width, for the standard deviation s of patient means, and
    for its upper bound (Cochran, Sampling Techniques, 1977, chapter 4).

    Args:
        unit_means: one value for each patient, float (m,); NaN, where the metric is undefined, is left out.
        half_widths: each above 0.
    """
    values = np.asarray(unit_means, np.float64)
    values = values[~np.isnan(values)]
    if mean_interval(values, Scale.DIFFERENCE).low is None or len(values) < FEWEST_UNITS:
        return []
    spread = float(values.std(ddof=1))
    most = float(spread_bound(values))
    return [
        PatientsNeeded(width, smallest_number(spread, width), smallest_number(most, width)) for width in half_widths
    ]


def spread_bound(values: np.ndarray) -> np.ndarray:
    """The upper bound of the standard deviation of each column, from its kurtosis: float (columns,), () of one.

    Bonett (2006), Approximate confidence interval for standard deviation of nonnormal distributions, Computational
    Statistics and Data Analysis 50, one-sided at 90 %. Kurtosis is about a trimmed mean, from which outliers are far.

    Args:
        values: float (m,) or (m, columns), without NaN, of 5 units at least that are not all equal.
    """
    number, normal = len(values), float(norm.ppf(_NOMINAL))
    cut = int(number / (2 * math.sqrt(number - 4)))
    middle = np.sort(values, axis=0)[cut : number - cut].mean(axis=0)
    squares = ((values - values.mean(axis=0)) ** 2).sum(axis=0)
    kurtosis = number * ((values - middle) ** 4).sum(axis=0) / squares**2
    factor = number / (number - normal)
    error = factor * np.sqrt((kurtosis - (number - 3) / number) / (number - 1))
    return np.asarray(np.sqrt(factor * squares / (number - 1) * np.exp(normal * error)))


def smallest_number(spread: float, half_width: float) -> int:
    """The smallest number of patients, 2 at least, whose interval by Student's t reaches no farther than `half_width`.

    Args:
        spread: standard deviation of patient means, 0 and more.
        half_width: above 0.
    """
    tail = (1 + LEVEL) / 2
    number = max(2, math.ceil((float(norm.ppf(tail)) * spread / half_width) ** 2))
    while float(student.ppf(tail, number - 1)) * spread / math.sqrt(number) > half_width:
        number += 1
    return number
