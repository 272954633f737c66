"""Seconds to score 1,220 frames of 512x512 with every metric, on two processes.

The frames are random vessel trees with faults, drawn in the worker; drawing them is not counted. Run from the
repository root: OMP_NUM_THREADS=1 python -m scripts.evaluation_speed
"""

import argparse
import time

import numpy as np

from helpers.evaluation.batch import score_many
from helpers.evaluation.case_scores import CaseArrays

SIDE = 512
TREES = 8
MM_PER_PX = 0.3


def _tree(rng: np.random.Generator) -> np.ndarray:
    """A trunk and branches of falling width, bool (512, 512), about one pixel in ten inside."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    mask = np.zeros((SIDE, SIDE), bool)
    starts = [(40.0, rng.uniform(150, 360), np.pi / 2, 12.0)]
    for _ in range(14):
        row, column, angle, radius = starts[rng.integers(len(starts))]
        for step in range(60):
            top, left = max(0, int(row) - 14), max(0, int(column) - 14)
            window = np.s_[top : int(row) + 15, left : int(column) + 15]
            mask[window] |= (rows[window] - row) ** 2 + (columns[window] - column) ** 2 <= radius**2
            angle += rng.normal(0, 0.1)
            row = float(np.clip(row + 4 * np.sin(angle), 0, SIDE - 1))
            column = float(np.clip(column + 4 * np.cos(angle), 0, SIDE - 1))
            radius = max(1.5, radius * 0.99)
            if step % 15 == 14:
                starts.append((row, column, angle + rng.choice([-0.8, 0.8]), max(1.5, radius * 0.7)))
    return mask


_drawn: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}


def frame(number: int) -> CaseArrays:
    """One of a few trees, with the logits of a prediction that misses some of it."""
    kind = number % TREES
    if kind not in _drawn:
        rng = np.random.default_rng(kind)
        truth = _tree(rng)
        logits = np.where(np.roll(truth, (1, 2), axis=(0, 1)), 3.0, -3.0) + rng.normal(0, 0.6, truth.shape)
        for _ in range(12):
            row, column = rng.integers(0, SIDE - 12, size=2)
            logits[row : row + 12, column : column + 12] = -3.0
        _drawn[kind] = truth, logits > 0, logits.astype(np.float16)
    truth, mask, logits = _drawn[kind]
    return CaseArrays(f"c{number:04d}", truth, mask, logits=logits, spacing_mm=(MM_PER_PX, MM_PER_PX))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1220)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    start = time.perf_counter()
    scores = score_many(frame, range(asked.frames), asked.processes)
    seconds = time.perf_counter() - start
    mean = np.mean([case.values["dice"] for case in scores])
    print(f"{len(scores)} frames {SIDE}x{SIDE}, {asked.processes} processes: {seconds:.0f} s (mean Dice {mean:.3f})")


if __name__ == "__main__":
    main()
