"""How often intervals of a mean over few patients hold the true mean, and how wide they are: methods compared.

The scores are those of `simulated_scores`. Tables of pooled ratios, and of the bound behind a sample size, follow.
docs/metrics.md has all of them. About a minute: python -m helpers.dev.measure.interval_simulation
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student
from tqdm import tqdm

from helpers.dev.measure.simulated_scores import POPULATIONS, DrawnPatients, Population
from helpers.dev.measure.spread_bounds import bound_rows
from helpers.evaluation.markdown import table
from helpers.metrics.intervals import LEVEL, Scale, column_intervals, ratio_interval

PATIENTS = (5, 8, 10, 20, 36)
SIMULATIONS, DRAWS = 4000, 1000
_TAIL = (1 - LEVEL) / 2
_LOSS, _NOISE = (2, 30), 0.01  # of the second run of a pair: share of a patient's score that it loses, and scatter
_SPREADS = (0.4, 0.7)
_SIZES = 0.5  # standard deviation of the logarithm of the pixels of a frame, where ratios are pooled
_PILOTS = 2000

Bounds = tuple[np.ndarray, np.ndarray]
"""Low and high of each simulation, float (simulations,)."""


def by_t(values: np.ndarray) -> Bounds:
    """Student's t on unit means."""
    return column_intervals(values, Scale.DIFFERENCE)[1:]


def by_logit(values: np.ndarray) -> Bounds:
    """Student's t on the logit scale, as the kit gives it for shares."""
    return column_intervals(values, Scale.SHARE)[1:]


def by_arcsine(values: np.ndarray) -> Bounds:
    """Student's t on the arcsine of the root."""
    units, means = len(values), values.mean(axis=0)
    reach = student.ppf(1 - _TAIL, units - 1) * values.std(axis=0, ddof=1) / np.sqrt(units)
    angle, step = np.arcsin(np.sqrt(means)), reach / (2 * np.sqrt(means * (1 - means)))
    low, high = (np.sin(np.clip(end, 0, np.pi / 2)) ** 2 for end in (angle - step, angle + step))
    return low, high


def by_logit_values(values: np.ndarray) -> Bounds:
    """Student's t on the logits of patient means, brought back: an interval of another mean than the one reported."""
    _, low, high = column_intervals(logit(np.clip(values, 1e-4, 1 - 1e-4)), Scale.DIFFERENCE)
    return expit(low), expit(high)


def by_percentiles(values: np.ndarray) -> Bounds:
    """Percentiles of bootstrap draws of patients."""
    drawn = _drawn_means(values)
    low, high = np.quantile(drawn, [_TAIL, 1 - _TAIL], axis=0)
    return low, high


def by_bca(values: np.ndarray) -> Bounds:
    """Bias-corrected and accelerated percentiles (Efron, 1987)."""
    units, means, drawn = len(values), values.mean(axis=0), np.sort(_drawn_means(values), axis=0)
    below = ((drawn < means).mean(axis=0) + (drawn <= means).mean(axis=0)) / 2
    bias = norm.ppf(np.clip(below, 1 / DRAWS, 1 - 1 / DRAWS))
    left_out = (units * means - values) / (units - 1)
    gaps = left_out.mean(axis=0) - left_out
    speed = (gaps**3).sum(axis=0) / (6 * (gaps**2).sum(axis=0) ** 1.5)
    ends = []
    for tail in (_TAIL, 1 - _TAIL):
        moved = bias + norm.ppf(tail)
        level = norm.cdf(bias + moved / (1 - speed * moved))
        places = np.clip(np.round(level * (DRAWS - 1)).astype(int), 0, DRAWS - 1)
        ends.append(drawn[places, np.arange(values.shape[1])])
    return ends[0], ends[1]


METHODS: Mapping[str, Callable[[np.ndarray], Bounds]] = {
    "Student's t, logit scale": by_logit,
    "Student's t, arcsine scale": by_arcsine,
    "Student's t": by_t,
    "BCa bootstrap": by_bca,
    "percentile bootstrap": by_percentiles,
    "Student's t of logits": by_logit_values,
}


FRAMES = "Student's t, logit scale, of frames as if independent"


def by_frames(drawn: DrawnPatients) -> Bounds:
    """Each frame taken for a unit of its own."""
    whole = drawn.frames.sum(axis=0)
    means = (drawn.frames * drawn.means).sum(axis=0) / whole
    variances = ((drawn.frames * drawn.squares).sum(axis=0) - whole * means**2) / (whole - 1)
    return _logit_bounds(means, np.sqrt(variances / whole), whole - 1)


def _logit_bounds(means: np.ndarray, errors: np.ndarray, freedom: np.ndarray) -> Bounds:
    step = student.ppf(1 - _TAIL, freedom) * errors / (means * (1 - means))
    return expit(logit(means) - step), expit(logit(means) + step)


def _drawn_means(values: np.ndarray) -> np.ndarray:
    """Means of bootstrap draws, float (DRAWS, simulations); the draws are shared by the simulations."""
    units = len(values)
    counts = np.random.default_rng(1).multinomial(units, np.full(units, 1 / units), DRAWS)
    return counts @ values / units


@dataclass(frozen=True)
class Found:
    """Of a method: share of the simulations whose interval holds the true mean, and the mean width of intervals."""

    coverage: float
    width: float


def simulate(
    population: Population, patients: int, simulations: int, seed: int, methods: Sequence[str] = tuple(METHODS)
) -> dict[str, Found]:
    """Coverage and width of the methods, and of frames as units, for one population and number of patients."""
    drawn = population.drawn(patients, simulations, np.random.default_rng([seed, patients]))
    bounds = {name: METHODS[name](drawn.means) for name in methods} | {FRAMES: by_frames(drawn)}
    return {name: _found(one, population.mean) for name, one in bounds.items()}


def simulate_pooled(population: Population, patients: int, simulations: int, seed: int) -> dict[str, Found]:
    """Pooled ratios, as cIoU: patients weigh by their pixels, which differ with the number and the size of frames."""
    rng = np.random.default_rng([seed, patients])
    drawn = population.drawn(patients, simulations, rng)
    pixels = drawn.frames * rng.lognormal(0, _SIZES, drawn.frames.shape)
    hits, whole = drawn.means * pixels, pixels.sum(axis=0)
    intervals = [ratio_interval(*one, Scale.SHARE) for one in zip(hits.T, pixels.T, strict=True)]
    ours = np.array([(one.low, one.high) for one in intervals], float).T
    ratios = hits.sum(axis=0) / whole
    errors = np.sqrt(patients / (patients - 1) * ((hits - ratios * pixels) ** 2).sum(axis=0)) / whole
    plain = _logit_bounds(ratios, errors, np.full(simulations, patients - 1))
    return {
        "freedom of the effective number": _found((ours[0], ours[1]), population.mean),
        "freedom n - 1": _found(plain, population.mean),
    }


def simulate_differences(population: Population, patients: int, simulations: int, seed: int) -> Found:
    """The paired difference of two runs: the second loses some of each patient's score, most often little of it."""
    rng = np.random.default_rng([seed, patients])
    first = population.drawn(patients, simulations, rng).means
    lost = rng.beta(*_LOSS, first.shape)
    change = -first * lost + rng.normal(0, _NOISE, first.shape)
    return _found(by_t(change), -population.mean * _LOSS[0] / sum(_LOSS))


def simulate_distances(spread: float, patients: int, simulations: int, seed: int) -> dict[str, Found]:
    """Distances, log-normal with a standard deviation `spread` of the logarithm; widths in parts of the true mean."""
    truth = math.exp(spread**2 / 2)
    values = np.random.default_rng([seed, patients]).lognormal(0, spread, (patients, simulations)) / truth
    logarithm = column_intervals(values, Scale.AMOUNT)[1:]
    return {"Student's t, log scale": _found(logarithm, 1.0), "Student's t": _found(by_t(values), 1.0)}


def _found(bounds: Bounds, truth: float) -> Found:
    low, high = bounds
    return Found(float(np.mean((low <= truth) & (truth <= high))), float(np.nanmean(high - low)))


def interval_rows(simulations: int, seed: int) -> list[list[str]]:
    """A head, then coverage in per cent and width of all methods."""
    rows = [["patients' scores", "interval", *(f"{patients} patients" for patients in PATIENTS)]]
    for population in tqdm(POPULATIONS, desc="populations"):
        found = [simulate(population, patients, simulations, seed) for patients in PATIENTS]
        rows += [[population.name, name, *(_written(one[name]) for one in found)] for name in found[0]]
    for population in POPULATIONS[:-1]:
        paired = (simulate_differences(population, patients, simulations, seed) for patients in PATIENTS)
        rows.append([f"paired difference, {population.name}", "Student's t", *map(_written, paired)])
    for spread in _SPREADS:
        found = [simulate_distances(spread, patients, simulations, seed) for patients in PATIENTS]
        named = f"distance, SD {spread:g} of its logarithm"
        rows += [[named, name, *(_written(one[name]) for one in found)] for name in found[0]]
    return rows


def pooled_rows(simulations: int, seed: int) -> list[list[str]]:
    """A head, then coverage in per cent and width of intervals of pooled ratios."""
    rows = [["patients' scores", "Student's t, logit scale", *(f"{patients} patients" for patients in PATIENTS)]]
    for population in tqdm(POPULATIONS, desc="pooled"):
        found = [simulate_pooled(population, patients, simulations, seed) for patients in PATIENTS]
        rows += [[population.name, name, *(_written(one[name]) for one in found)] for name in found[0]]
    return rows


def _written(found: Found) -> str:
    return f"{100 * found.coverage:.1f} %, {found.width:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=SIMULATIONS)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for rows in (
        interval_rows(asked.simulations, asked.seed),
        pooled_rows(asked.simulations, asked.seed),
        bound_rows(min(asked.simulations, _PILOTS), asked.seed),
    ):
        print(table(rows[0], rows[1:]) + "\n")


if __name__ == "__main__":
    main()
