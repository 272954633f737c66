"""How often an upper bound of the spread of patients holds it, and how many patients too many it asks for."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.stats import chi2

from helpers.dev.measure.simulated_scores import POPULATIONS, Population
from helpers.metrics.sample_size import spread_bound

PILOTS = (10, 20, 36)
_DRAWS = 1000


def by_chi_square(level: float) -> Callable[[np.ndarray], np.ndarray]:
    """The bound of a standard deviation of normal values, one-sided."""

    def bound(values: np.ndarray) -> np.ndarray:
        free = len(values) - 1
        return np.asarray(values.std(axis=0, ddof=1) * np.sqrt(free / chi2.ppf(1 - level, free)))

    return bound


def by_draws(values: np.ndarray) -> np.ndarray:
    """The 90 % percentile of bootstrap draws of patients, which the simulations share."""
    number = len(values)
    counts = np.random.default_rng(1).multinomial(number, np.full(number, 1 / number), _DRAWS)
    variances = (counts @ values**2 / number - (counts @ values / number) ** 2) * number / (number - 1)
    return np.asarray(np.sqrt(np.quantile(variances, 0.9, axis=0)))


BOUNDS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "Bonett, 90 %": spread_bound,
    "chi-square, 80 %": by_chi_square(0.8),
    "chi-square, 90 %": by_chi_square(0.9),
    "bootstrap, 90 %": by_draws,
}


def held(population: Population, pilot: int, simulations: int, seed: int) -> dict[str, tuple[float, float]]:
    """Of each bound the share of pilots in which it is not below the true spread, and the median of its square by the
    square of that: of the patients asked for by those needed.
    """
    values = population.drawn(pilot, simulations, np.random.default_rng([seed, pilot])).means
    ratios = {name: bound(values) / population.spread for name, bound in BOUNDS.items()}
    return {name: (float(np.mean(one >= 1)), float(np.median(one**2))) for name, one in ratios.items()}


def bound_rows(simulations: int, seed: int) -> list[list[str]]:
    """A head and a row for each population and bound."""
    rows = [["patients' scores", "bound", *(f"pilot of {pilot} patients" for pilot in PILOTS)]]
    for population in POPULATIONS:
        found = [held(population, pilot, simulations, seed) for pilot in PILOTS]
        for name in BOUNDS:
            cells = (f"{100 * one[name][0]:.1f} %, {one[name][1]:.2f}" for one in found)
            rows.append([population.name, name, *cells])
    return rows
