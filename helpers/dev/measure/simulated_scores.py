"""Scores of simulated patients between 0 and 1, for the simulations of intervals and of sample sizes.

The mean of each patient is drawn from a beta distribution, the more skewed the nearer its mean is to 1; 2 to 40 frames
of it from another one around the patient's mean.
"""

import math
from dataclasses import dataclass

import numpy as np

_FRAMES = range(2, 41)


@dataclass(frozen=True)
class DrawnPatients:
    """Patients of several simulations, float (patients, simulations) each.

    Attributes:
        means: of each patient's frames.
        squares: mean square of each patient's frames.
        frames: their number.
    """

    means: np.ndarray
    squares: np.ndarray
    frames: np.ndarray


@dataclass(frozen=True)
class Population:
    """Patients whose scores are beta distributed.

    Attributes:
        mean: of patient means, which the intervals shall hold.
        between, within: sums of the two parameters of the beta distributions, of patients and of a patient's frames:
            the larger, the more alike they are.
    """

    mean: float
    between: float
    within: float

    @property
    def name(self) -> str:
        """`mean 0.85, SD 0.10, skew -1.0`, of the patients."""
        spread = math.sqrt(self.mean * (1 - self.mean) / (self.between + 1))
        skew = 2 * (1 - 2 * self.mean) / (self.between + 2) * math.sqrt(self.between + 1)
        skew /= math.sqrt(self.mean * (1 - self.mean))
        return f"mean {self.mean:g}, SD {spread:.2f}, skew {skew:.1f}"

    @property
    def spread(self) -> float:
        """Standard deviation of the means over patients' frames, which holds the scatter of the frames too."""
        whole = self.mean * (1 - self.mean)
        of_frames = whole * self.between / (self.between + 1) / (self.within + 1)
        return math.sqrt(whole / (self.between + 1) + of_frames * np.mean([1 / number for number in _FRAMES]))

    def drawn(self, patients: int, simulations: int, rng: np.random.Generator) -> DrawnPatients:
        """Patients with their frames."""
        own = rng.beta(self.mean * self.between, (1 - self.mean) * self.between, patients * simulations)
        own = np.clip(own, 1e-4, 1 - 1e-4)
        counts = rng.integers(_FRAMES.start, _FRAMES.stop, own.size)
        each = np.repeat(own, counts)
        frames = rng.beta(each * self.within, (1 - each) * self.within)
        starts = np.cumsum(counts) - counts
        sums = [np.add.reduceat(values, starts) / counts for values in (frames, frames**2)]
        means, squares, numbers = (one.reshape(patients, simulations) for one in (*sums, counts.astype(float)))
        return DrawnPatients(means, squares, numbers)


POPULATIONS = (Population(0.75, 30, 20), Population(0.85, 12, 20), Population(0.92, 12, 20), Population(0.95, 6, 10))
