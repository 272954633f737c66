"""Paired tests on the means of independent units: sign flips, signed ranks, and Holm's correction."""

import numpy as np
from scipy.stats import rankdata, wilcoxon

from helpers.metrics.intervals import DRAWS, SEED

# `scipy.stats.permutation_test` with permutation_type="samples" gives the same p-values where all patterns are tried.
# With more units it draws other patterns from the same seed (0.137 against 0.149 for 20 units, 10,000 draws): p-values
# that were recorded would change, so the flips are made here.
# Up to this many units all sign patterns are tried; beyond, that many random ones.
_EXACT_UNITS = 13


# Equal differences that were reached by other sums differ in their last digits, and are ties all the same.
_DECIMALS = 12


def sign_flip_p(differences: np.ndarray, *, draws: int = DRAWS, seed: int = SEED) -> float:
    """Two-sided p-value of the sign-flip permutation test that the mean difference is 0.

    All patterns of signs are tried for up to 13 units; beyond, `draws` random ones beside the observed.

    Args:
        differences: one for each independent unit, float (n,), n at least 1.
    """
    values = np.asarray(differences, np.float64)
    observed = abs(values.sum()) - 10.0**-_DECIMALS * np.abs(values).sum()
    if values.size <= _EXACT_UNITS:
        return float(np.mean(np.abs((2 * _patterns(values.size) - 1) @ values) >= observed))
    signs = 2 * np.random.default_rng(seed).integers(0, 2, size=(draws, values.size), dtype=np.int8) - 1
    return float((1 + np.count_nonzero(np.abs(signs @ values) >= observed)) / (1 + draws))


def wilcoxon_p(differences: np.ndarray) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test with Pratt's treatment of zeros; 1 where all are 0."""
    values = np.round(differences, _DECIMALS)
    if not values.any():
        return 1.0
    if values.size > _EXACT_UNITS:
        return float(wilcoxon(values, zero_method="pratt").pvalue)
    # What `wilcoxon` gives for so few. With ties or zeros it ranks anew for each pattern, a thousand times as long.
    ranks = np.where(values == 0, 0.0, rankdata(np.abs(values)))
    observed, sums = ranks[values > 0].sum(), _patterns(values.size) @ ranks
    return float(min(1.0, 2 * min(np.mean(sums <= observed), np.mean(sums >= observed))))


def _patterns(count: int) -> np.ndarray:
    """Every choice among `count` units, int (2**count, count) of 0 and 1."""
    return np.arange(2**count)[:, None] >> np.arange(count) & 1


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction, float (n,); NaN, a test that was not made, stays and is not counted."""
    corrected = np.full(len(p_values), np.nan)
    made = np.flatnonzero(~np.isnan(p_values))
    order = made[np.argsort(p_values[made], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return corrected
