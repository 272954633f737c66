"""How often a 95 % interval holds the true mean: patients as units, against frames as if they were independent.

Each simulation makes 36 patients with 8 to 40 frames each. A patient's frames share an offset, as frames of one vessel
tree do. Seconds: python -m helpers.dev.measure.coverage_simulation
"""

import argparse

import numpy as np
from tqdm import tqdm

from helpers.metrics.intervals import Interval, Scale, mean_interval

CLUSTERS = 36
TRUE_MEAN = 0.80
BETWEEN_SD = 0.06
WITHIN_SD = 0.04


def simulate(simulations: int, seed: int, progress: bool = False) -> tuple[float, float]:
    """Share of simulations in which the interval over clusters, and the one over frames, holds the true mean."""
    rng = np.random.default_rng(seed)
    covered = np.zeros(2)
    for _ in tqdm(range(simulations), desc="simulations", disable=not progress):
        patients = _patients(rng)
        units = np.array([frames.mean() for frames in patients])
        by_patient = mean_interval(units, Scale.SHARE)
        by_frame = mean_interval(np.concatenate(patients), Scale.SHARE)
        covered += [_holds(by_patient), _holds(by_frame)]
    by_patient, by_frame = covered / simulations
    return float(by_patient), float(by_frame)


def _patients(rng: np.random.Generator) -> list[np.ndarray]:
    """Scores of the frames of each patient."""
    offsets = rng.normal(0, BETWEEN_SD, size=CLUSTERS)
    return [TRUE_MEAN + offset + rng.normal(0, WITHIN_SD, size=rng.integers(8, 41)) for offset in offsets]


def _holds(interval: Interval) -> bool:
    if interval.low is None or interval.high is None:
        raise ValueError(f"expected an interval of {CLUSTERS} patients, got none")
    return interval.low <= TRUE_MEAN <= interval.high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    by_patient, by_frame = simulate(asked.simulations, asked.seed, progress=True)
    print(f"{asked.simulations} simulations, {CLUSTERS} patients, seed {asked.seed}")
    print(f"interval over patients holds the true mean in {by_patient:.1%} (95 % claimed)")
    print(f"interval over frames holds the true mean in {by_frame:.1%} (95 % claimed)")


if __name__ == "__main__":
    main()
