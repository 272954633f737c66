"""How many patients an interval of a given width needs, from the spread of the patients at hand."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, norm
from scipy.stats import t as student

from helpers.metrics.intervals import FEWEST_UNITS, LEVEL

HALF_WIDTHS = (0.02, 0.05)
SURE = 0.8
"""How sure it is that no more patients are needed than the larger number says."""


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
    """Patients for intervals of given half widths, from a pilot; none from fewer than 10 patients.

    The smallest n with t(0.975, n - 1) s / sqrt(n) <= half width, for the standard deviation s of patient means, and
    for its upper confidence bound s sqrt((m - 1) / chi2(0.2, m - 1)) of a pilot of m patients (Cochran, Sampling
    Techniques, 1977, chapter 4; the bound is that of a variance of normal values).

    Args:
        unit_means: one value for each patient, float (m,); NaN, where the metric is undefined, is left out.
        half_widths: each above 0.
    """
    values = np.asarray(unit_means, np.float64)
    values = values[~np.isnan(values)]
    if len(values) < FEWEST_UNITS:
        return []
    spread = float(values.std(ddof=1))
    most = spread * math.sqrt((len(values) - 1) / chi2.ppf(1 - SURE, len(values) - 1))
    return [
        PatientsNeeded(width, smallest_number(spread, width), smallest_number(most, width)) for width in half_widths
    ]


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
