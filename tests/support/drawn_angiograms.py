"""Angiograms drawn for tests: dark lines of known width on bright ground."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def drawn_truth(width, size=128, start=40):
    """One horizontal line across most of the frame, bool (size, size)."""
    truth = np.zeros((size, size), bool)
    truth[start : start + width, 15:-15] = True
    return truth


def drawn_grey(truth, seed=0, noise=0.01):
    """Bright ground with a slope, the truth darker, some noise: float32 (H, W), 0 .. 1."""
    slope = np.linspace(0.55, 0.75, truth.shape[1])[None, :]
    rng = np.random.default_rng(seed)
    grey = slope - 0.25 * gaussian_filter(truth.astype(float), 0.7) + rng.normal(0, noise, truth.shape)
    return grey.astype(np.float32)


def save_grey(grey, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(np.clip(grey, 0, 1) * 255).astype(np.uint8)).save(path)


def save_mask(mask, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def save_pairs(folder, truths):
    """A data set of pairs: one drawn frame for each truth, with names that must not leave it."""
    for number, truth in enumerate(truths, start=1):
        save_grey(drawn_grey(truth, seed=number), folder / "images" / f"Doe_Jane_{number}.png")
        save_mask(truth, folder / "masks" / f"Doe_Jane_{number}.png")
