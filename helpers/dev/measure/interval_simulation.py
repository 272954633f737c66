"""How often intervals of a mean over few patients hold the true mean, and how wide they are: methods compared.

Scores lie between 0 and 1. The mean of each patient is drawn from a beta distribution, the more skewed the nearer its
mean is to 1; 2 to 40 frames of it from another one around the patient's mean. docs/metrics.md has the table. About a
minute: python -m helpers.dev.measure.interval_simulation
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

from helpers.metrics.intervals import LEVEL, Scale, column_intervals

PATIENTS = (5, 8, 10, 20, 36)
SIMULATIONS, DRAWS = 4000, 1000
_MOST_FRAMES = 40
_TAIL = (1 - LEVEL) / 2
_LOSS, _NOISE = (2, 30), 0.01  # of the second run of a pair: share of a patient's score that it loses, and scatter
_SPREADS = (0.4, 0.7)

Bounds = tuple[np.ndarray, np.ndarray]
"""Low and high of each simulation, float (simulations,)."""


@dataclass(frozen=True)
class Population:
    """Patients whose scores are beta distributed.

    Attributes:
        mean: of patient means, which the intervals shall hold.
        between, within: sums of the two parameters of the beta distributions, of patients and of a patient's frames:
            the larger, the more alike they are.
    """

    name: str
    mean: float
    between: float
    within: float

    def unit_means(self, patients: int, simulations: int, rng: np.random.Generator) -> np.ndarray:
        """Means over the frames of patients, float (patients, simulations)."""
        own = rng.beta(self.mean * self.between, (1 - self.mean) * self.between, patients * simulations)
        own = np.clip(own, 1e-4, 1 - 1e-4)
        counts = rng.integers(2, _MOST_FRAMES + 1, own.size)
        each = np.repeat(own, counts)
        frames = rng.beta(each * self.within, (1 - each) * self.within)
        starts = np.cumsum(counts) - counts
        return (np.add.reduceat(frames, starts) / counts).reshape(patients, simulations)


POPULATIONS = (
    Population("mean 0.75, SD 0.08, skew -0.4", 0.75, 30, 20),
    Population("mean 0.85, SD 0.10, skew -1.0", 0.85, 12, 20),
    Population("mean 0.92, SD 0.08, skew -1.6", 0.92, 12, 20),
    Population("mean 0.95, SD 0.08, skew -2.7", 0.95, 6, 10),
)


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


def _drawn_means(values: np.ndarray) -> np.ndarray:
    """Means of bootstrap draws, float (DRAWS, simulations); the draws are shared by the simulations."""
    units = len(values)
    counts = np.random.default_rng(1).multinomial(units, np.full(units, 1 / units), DRAWS)
    return counts @ values / units


@dataclass(frozen=True)
class Found:
    """Of a method: share of the simulations whose interval holds the true mean, and the mean width."""

    coverage: float
    width: float


def simulate(
    population: Population, patients: int, simulations: int, seed: int, methods: Sequence[str] = tuple(METHODS)
) -> dict[str, Found]:
    """Coverage and width of the methods for one population and number of patients."""
    values = population.unit_means(patients, simulations, np.random.default_rng([seed, patients]))
    return {name: _found(METHODS[name](values), population.mean) for name in methods}


def simulate_differences(population: Population, patients: int, simulations: int, seed: int) -> Found:
    """The paired difference of two runs: the second loses some of each patient's score, most often little of it."""
    rng = np.random.default_rng([seed, patients])
    first = population.unit_means(patients, simulations, rng)
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
    return Found(float(np.mean((low <= truth) & (truth <= high))), float(np.mean(high - low)))


def table(simulations: int, seed: int) -> str:
    """Coverage in per cent and width of all methods, as a Markdown table."""
    head = ["patients' scores", "interval", *(f"{patients} patients" for patients in PATIENTS)]
    lines = [head, ["---"] * len(head)]
    for population in tqdm(POPULATIONS, desc="populations"):
        found = [simulate(population, patients, simulations, seed) for patients in PATIENTS]
        for name in METHODS:
            lines.append([population.name, name, *(_written(one[name]) for one in found)])
    for population in POPULATIONS[:-1]:
        paired = (simulate_differences(population, patients, simulations, seed) for patients in PATIENTS)
        lines.append([f"paired difference, {population.name}", "Student's t", *map(_written, paired)])
    for spread in _SPREADS:
        of_distances = [simulate_distances(spread, patients, simulations, seed) for patients in PATIENTS]
        for name in of_distances[0]:
            written = (_written(one[name]) for one in of_distances)
            lines.append([f"distance, SD {spread:g} of its logarithm", name, *written])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _written(found: Found) -> str:
    return f"{100 * found.coverage:.1f} %, {found.width:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=SIMULATIONS)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(table(asked.simulations, asked.seed))


if __name__ == "__main__":
    main()
