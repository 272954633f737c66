"""How much a split by frames flatters a score, against a split by patients, on synthetic patients.

    python -m scripts.frame_split_study

Every frame is scored out of fold twice: in five folds of frames drawn at random, where its patient trains too, and in
five folds of whole patients. The difference of a patient's two means is what the split by frames adds. One method has
little to learn, the other much: Frangi's vesselness with three sets of scales and a threshold to choose, and a random
forest of pixels, which sees grey values and ridges around a pixel and where in the frame it lies. Prints the table of
docs/datasets.md in five minutes on one core.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.ensemble import RandomForestClassifier

from helpers.core.progress import track
from helpers.dev.synthesis.sequence import draw_frame
from helpers.evaluation.markdown import table
from helpers.metrics.intervals import Interval, Scale, mean_interval
from helpers.metrics.overlap import count_pixels, overlap_scores
from helpers.prediction.frangi import FrangiSettings, vesselness

SIDE, SEED, FOLDS = 128, 6001, 5
SCALES = ((2.0, 3.0), (3.0, 4.0, 5.0), (4.0, 5.0))
THRESHOLDS = np.geomspace(0.05, 3, 30)
SMOOTHED = (0, 1, 2, 4, 8, 16)  # standard deviations of the grey values that the forest sees, pixels
TREES, SAMPLED = 30, 1500  # pixels of a frame that a forest learns from

Fold = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Indices of the frames to learn from and of those to score -> masks of the latter, bool (n, H, W)."""


@dataclass(frozen=True)
class Drawn:
    """Frames of synthetic patients.

    Attributes:
        patients: of each frame, int (n,).
        grey: float32 (n, H, W), 0 .. 1.
        truths: bool (n, H, W).
    """

    patients: np.ndarray
    grey: np.ndarray
    truths: np.ndarray


def draw(patients: int, frames: int) -> Drawn:
    """Frames of one sequence of each patient that hold vessels."""
    found = [
        (number, drawn.image, drawn.mask)
        for number in track(range(1, patients + 1), "draw", unit="patient")
        for drawn in (draw_frame(SEED, number, 1, frame, SIDE) for frame in range(1, frames + 1))
        if drawn.mask.any()
    ]
    numbers, images, masks = zip(*found, strict=True)
    return Drawn(np.array(numbers), np.stack(images).astype(np.float32) / 255, np.stack(masks))


def dice_of(truth: np.ndarray, mask: np.ndarray) -> float:
    """Dice of two masks, bool (H, W)."""
    return overlap_scores(count_pixels(truth, mask))["dice"]


def frangi_folds(drawn: Drawn) -> Fold:
    """Scales and a threshold with the best mean Dice on the frames to learn from."""
    settings = [FrangiSettings(scales=scales) for scales in SCALES]
    maps = np.stack([[vesselness(grey, one) for grey in drawn.grey] for one in track(settings, "frangi", unit="map")])
    pairs = [(place, threshold) for place in range(len(SCALES)) for threshold in THRESHOLDS]
    dice = np.array(
        [
            [dice_of(truth, one) for truth, one in zip(drawn.truths, maps[place] > threshold, strict=True)]
            for place, threshold in track(pairs, "thresholds", unit="threshold")
        ]
    )

    def masks(learnt: np.ndarray, scored: np.ndarray) -> np.ndarray:
        place, threshold = pairs[int(dice[:, learnt].mean(axis=1).argmax())]
        return np.asarray(maps[place][scored] > threshold)

    return masks


def forest_folds(drawn: Drawn) -> Fold:
    """A random forest of pixels of the frames to learn from; vessel where its trees say so with more than 0.5."""
    places = np.indices((SIDE, SIDE)).reshape(2, -1).T
    seen = []
    for grey in track(drawn.grey, "features", unit="frame"):
        smooth = [gaussian_filter(grey, sigma) if sigma else grey for sigma in SMOOTHED]
        seen.append(np.column_stack([places, *map(np.ravel, [*smooth, vesselness(grey, FrangiSettings())])]))
    values, wanted = np.stack(seen).astype(np.float32), drawn.truths.reshape(len(drawn.truths), -1)
    sampled = np.random.default_rng(SEED).integers(0, SIDE**2, (len(values), SAMPLED))

    def masks(learnt: np.ndarray, scored: np.ndarray) -> np.ndarray:
        forest = RandomForestClassifier(TREES, min_samples_leaf=3, random_state=SEED)
        rows, columns = learnt[:, None], sampled[learnt]
        forest.fit(values[rows, columns].reshape(-1, values.shape[2]), wanted[rows, columns].ravel())
        chances = forest.predict_proba(values[scored].reshape(-1, values.shape[2]))[:, 1]
        return np.asarray(chances.reshape(len(scored), SIDE, SIDE) > 0.5)

    return masks


def out_of_fold(drawn: Drawn, units: np.ndarray, method: Fold) -> np.ndarray:
    """Dice of each frame where neither it nor another one of its unit was learnt from, float (n,).

    Args:
        units: of each frame, int (n,), dealt whole into folds at random.
    """
    names = np.unique(units)
    fold_of = dict(zip(np.random.default_rng(SEED).permutation(names), np.arange(len(names)) % FOLDS, strict=True))
    folds, dice = np.array([fold_of[unit] for unit in units]), np.empty(len(units))
    for fold in track(range(FOLDS), "folds", unit="fold"):
        scored = np.flatnonzero(folds == fold)
        found = method(np.flatnonzero(folds != fold), scored)
        dice[scored] = [dice_of(drawn.truths[frame], mask) for frame, mask in zip(scored, found, strict=True)]
    return dice


def flattery(drawn: Drawn, method: Fold) -> list[Interval]:
    """Mean of patient means of Dice by frames and by patients, and of their paired difference."""
    by_frames = out_of_fold(drawn, np.arange(len(drawn.patients)), method)
    by_patients = out_of_fold(drawn, drawn.patients, method)
    means = [
        np.array([dice[drawn.patients == patient].mean() for patient in np.unique(drawn.patients)])
        for dice in (by_frames, by_patients)
    ]
    shares = [mean_interval(one, Scale.SHARE) for one in means]
    return [*shares, mean_interval(means[0] - means[1], Scale.DIFFERENCE)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=36)
    parser.add_argument("--frames", type=int, default=6, help="of each patient")
    asked = parser.parse_args()
    drawn = draw(asked.patients, asked.frames)
    rows = []
    for name, folds in (("Frangi, tuned", frangi_folds), ("random forest of pixels", forest_folds)):
        found = flattery(drawn, folds(drawn))
        rows.append([name, *(_written(one, sign) for one, sign in zip(found, ("", "", "+"), strict=True))])
    print(table(["method", "Dice, folds of frames", "Dice, folds of patients", "what frames add"], rows))
    print(f"{len(drawn.patients)} frames of {len(np.unique(drawn.patients))} synthetic patients, seed {SEED}")


def _written(found: Interval, sign: str) -> str:
    if found.low is None:
        return f"{found.estimate:{sign}.3f} ({found.units} patients, no interval)"
    return f"{found.estimate:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


if __name__ == "__main__":
    main()
