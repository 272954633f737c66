"""Calibration of probabilities: reliability, calibration errors, and one temperature to correct them.

All from logit histograms: a pixel counts with the middle of its bin, which is 1/256 logit wide, so that a probability
is off by 0.0005 at most. Pixels are pooled, and drawn by unit; cases without logits have no probabilities and are left
out.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from helpers.metrics.intervals import (
    DRAWS,
    FEWEST_UNITS,
    LEVEL,
    ROUNDED,
    SEED,
    Interval,
    Method,
    Scale,
    ratio_interval,
)
from helpers.metrics.threshold_curve import (
    LIMIT,
    STEPS_PER_LOGIT,
    ChosenBy,
    LogitHistogram,
    UnitHistograms,
    folds,
    resampled_counts,
    thresholds,
)

BINS = 15
LARGEST_TEMPERATURE = 20.0


@dataclass(frozen=True)
class Reliability:
    """Pixels by predicted probability; only bins that hold some.

    Attributes:
        predicted: mean probability of a bin, float (bins,).
        observed: share of its pixels that are vessel, float (bins,).
        pixels: int (bins,).
    """

    predicted: np.ndarray
    observed: np.ndarray
    pixels: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """How one set of probabilities fares.

    Attributes:
        reliability: in 15 bins of equal width.
        ece: expected calibration error in these bins, with an interval by unit. An error cannot be below 0, so that
            draws lie above the estimate more often than below.
        ece_equal_mass: in 15 bins of as equal numbers of pixels as whole bins of the histogram make.
        brier: mean squared difference of probability and truth.
        brier_of_share: what the share of vessel, given as every pixel's probability, would have; the floor to beat.
        nll: mean negative log likelihood in nats.
    """

    reliability: Reliability = field(repr=False)
    ece: Interval
    ece_equal_mass: float
    brier: Interval
    brier_of_share: float
    nll: Interval


@dataclass(frozen=True)
class TemperatureScaling:
    """Logits divided by one number, and what it does on cases that did not choose it. Masks at 0.5 stay the same.

    Attributes:
        temperature: above 1 where the model was too sure; 1/20 or 20, the ends of the range, where none fits.
        chosen_by: from where. By cross-validation `after` is of `fold_temperatures`, each on the fold without a say.
        fold_temperatures: none where it was chosen on a development split.
    """

    temperature: float
    chosen_by: ChosenBy
    fold_temperatures: tuple[float, ...]
    before: Calibration
    after: Calibration


def calibration(
    units: UnitHistograms, temperatures: np.ndarray | float = 1.0, *, draws: int = DRAWS, seed: int = SEED
) -> Calibration:
    """Compare the probabilities of the logits, divided by `temperatures`, with the truth.

    Args:
        units: with at least one.
        temperatures: one for all units, or float (units,).
    """
    each = np.broadcast_to(np.asarray(temperatures, float), len(units.names))
    pooled = units.pooled()
    by_mass = _mass_bins(pooled)
    triples = zip(units.vessel, units.background, each, strict=True)
    sums = [_sums(vessel, background, temperature, by_mass) for vessel, background, temperature in triples]
    widths, masses, squares, losses, pixels = (np.array(part) for part in zip(*sums, strict=True))
    whole = widths.sum(axis=0)  # (3, bins): pixels, probabilities, vessel
    some = whole[0] > 0
    share = pooled.vessel.sum() / pixels.sum()
    return Calibration(
        reliability=Reliability(
            predicted=whole[1][some] / whole[0][some],
            observed=whole[2][some] / whole[0][some],
            pixels=whole[0][some].astype(np.int64),
        ),
        ece=_ece_interval(widths[:, 1] - widths[:, 2], pixels, draws, seed),
        ece_equal_mass=float(np.abs(masses.sum(axis=0)).sum() / pixels.sum()),
        brier=ratio_interval(squares, pixels, Scale.SHARE),
        brier_of_share=float(share * (1 - share)),
        nll=ratio_interval(losses, pixels, Scale.AMOUNT),
    )


def fit_temperature(histogram: LogitHistogram) -> float:
    """The temperature with the least negative log likelihood, within 1/20 .. 20."""
    logits = _middles()

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return _loss(histogram.vessel, histogram.background, scaled) / max(1, _pixels(histogram))

    end = np.log(LARGEST_TEMPERATURE)
    found = float(minimize_scalar(loss, bounds=(-end, end), method="bounded", options={"xatol": 1e-6}).x)
    # The search stops short of the ends of its range.
    return float(np.exp(min((found, -end, end), key=loss)))


def scaled_on_development(
    units: UnitHistograms, development: UnitHistograms, *, draws: int = DRAWS, seed: int = SEED
) -> TemperatureScaling:
    """Fit a temperature on other patients; see `units.require_apart`."""
    temperature = fit_temperature(development.pooled())
    return TemperatureScaling(
        temperature=temperature,
        chosen_by=ChosenBy.DEVELOPMENT,
        fold_temperatures=(),
        before=calibration(units, draws=draws, seed=seed),
        after=calibration(units, temperature, draws=draws, seed=seed),
    )


def scaled_by_folds(units: UnitHistograms, *, draws: int = DRAWS, seed: int = SEED) -> TemperatureScaling:
    """Fit a temperature where there is no development split. Raises RefusedInput with fewer than two units."""
    each, of_folds = np.ones(len(units.names)), []
    for held_out in folds(len(units.names), seed=seed):
        rest: list[int] = np.delete(np.arange(len(units.names)), held_out).tolist()
        each[held_out] = fit_temperature(units.pooled(rest))
        of_folds.append(float(each[held_out[0]]))
    return TemperatureScaling(
        temperature=fit_temperature(units.pooled()),
        chosen_by=ChosenBy.CROSS_VALIDATION,
        fold_temperatures=tuple(of_folds),
        before=calibration(units, draws=draws, seed=seed),
        after=calibration(units, each, draws=draws, seed=seed),
    )


def _middles() -> np.ndarray:
    """The logit that the pixels of each bin count with, float64 (8193,); the outermost bins are at -16 and 16."""
    middles = thresholds() - 0.5 / STEPS_PER_LOGIT
    middles[[0, -1]] = -LIMIT, LIMIT
    return middles


def _mass_bins(histogram: LogitHistogram) -> np.ndarray:
    """Which of `BINS` each bin of a histogram belongs to, by the rank of its middle pixel, int (8193,)."""
    counts = histogram.vessel + histogram.background
    ranks = (np.cumsum(counts) - counts / 2) / counts.sum()
    return np.asarray(np.minimum((ranks * BINS).astype(int), BINS - 1))


def _sums(
    vessel: np.ndarray, background: np.ndarray, temperature: float, by_mass: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, float, int]:
    """Of one unit: pixels, probabilities and vessel in bins of equal width (3, bins); probabilities less vessel in
    bins of equal mass (bins,); squared differences; negative log likelihood; pixels."""
    scaled = _middles() / temperature
    chances, pixels = expit(scaled), vessel + background
    by_width = np.minimum((chances * BINS).astype(int), BINS - 1)
    widths = np.stack([np.bincount(by_width, weights, BINS) for weights in (pixels, chances * pixels, vessel)])
    masses = np.bincount(by_mass, chances * pixels - vessel, BINS)
    squares = float(vessel @ (1 - chances) ** 2 + background @ chances**2)
    return widths, masses, squares, _loss(vessel, background, scaled), int(pixels.sum())


def _loss(vessel: np.ndarray, background: np.ndarray, logits: np.ndarray) -> float:
    return float(vessel @ np.logaddexp(0, -logits) + background @ np.logaddexp(0, logits))


def _pixels(histogram: LogitHistogram) -> int:
    return int(histogram.vessel.sum() + histogram.background.sum())


def _ece_interval(gaps: np.ndarray, pixels: np.ndarray, draws: int, seed: int) -> Interval:
    """Percentiles of bootstrap draws: the ECE does not vary smoothly with means. They need more units than Student's t.

    Args:
        gaps: probabilities less vessel, (units, bins).
        pixels: (units,).
    """
    estimate = float(np.abs(gaps.sum(axis=0)).sum() / pixels.sum())
    if len(gaps) < FEWEST_UNITS:
        return Interval(estimate, None, None, len(gaps))
    drawn = [
        np.abs(counts @ gaps).sum(axis=1) / (counts @ pixels)
        for counts in resampled_counts(len(gaps), draws=draws, seed=seed)
    ]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.concatenate(drawn), [tail, 1 - tail])
    if high - low <= ROUNDED:
        return Interval(estimate, None, None, len(gaps), Method.EQUAL)
    return Interval(estimate, float(low), float(high), len(gaps), Method.PERCENTILE)
