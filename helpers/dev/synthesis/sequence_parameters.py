"""What varies between synthetic sequences, with its ranges: those of training, and those held out for the test."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np


class Split(StrEnum):
    """Of patients; never of frames."""

    TRAIN = "train"
    DEV = "val"
    TEST = "test"


class Artery(StrEnum):
    """The artery that is injected."""

    LEFT = "left"
    RIGHT = "right"


# (lowest, highest) of a uniform draw. Lengths are mm, or pixels of a frame of 512 where the name ends in `_px`.
TRAIN: Mapping[str, tuple[float, float]] = {
    "pixel_mm": (0.16, 0.28),
    "calibre": (0.7, 1.15),
    "tortuosity": (0.3, 1.5),
    "iodine": (0.12, 0.28),
    "structure": (0.4, 1.3),
    "texture": (0.005, 0.04),
    "flattening": (0.0, 0.95),
    "blur_px": (0.6, 2.2),
    "photons": (700.0, 8000.0),
    "grain_px": (0.3, 1.3),
    "scatter": (0.1, 0.6),
    "gamma": (0.75, 1.15),
    "window": (0.45, 0.75),
    "brightness": (0.5, 0.7),
    "vignette": (0.0, 0.35),
    "arrival_s": (-1.2, 0.3),
    "heart_rate_hz": (0.9, 1.6),
    "breathing_mm": (0.0, 5.0),
}
# The test's: noisier, fainter, blurrier, more winding and differently magnified than anything trained on, in part.
HELD_OUT: Mapping[str, tuple[float, float]] = {
    **TRAIN,
    "pixel_mm": (0.14, 0.31),
    "calibre": (0.65, 1.25),
    "tortuosity": (0.3, 1.8),
    "iodine": (0.10, 0.30),
    "texture": (0.005, 0.05),
    "blur_px": (0.5, 2.5),
    "photons": (500.0, 9000.0),
    "gamma": (0.65, 1.3),
    "heart_rate_hz": (0.8, 1.8),
}

# Shares of sequences.
CATHETER, WIRES, STENOSIS, NO_INJECTION = 0.9, 0.45, 0.6, 0.05
ROUND_FIELD, RECTANGULAR_FIELD = 0.4, 0.25


@dataclass(frozen=True)
class Parameters:
    """One sequence's draw from the ranges; see docs/synthesis.md for each."""

    pixel_mm: float
    calibre: float
    tortuosity: float
    iodine: float
    structure: float
    texture: float
    flattening: float
    blur_px: float
    photons: float
    grain_px: float
    scatter: float
    gamma: float
    window: float
    brightness: float
    vignette: float
    arrival_s: float
    heart_rate_hz: float
    breathing_mm: float


def split_of_patient(patient: int) -> Split:
    """Of six consecutive patients (numbered from 1) the fifth is for development, the sixth for the test."""
    return {5: Split.DEV, 0: Split.TEST}.get(patient % 6, Split.TRAIN)


def draw_parameters(split: Split, random: np.random.Generator) -> Parameters:
    """A sequence's parameters from the ranges of its split; photons are drawn in their logarithm."""
    ranges = HELD_OUT if split is Split.TEST else TRAIN
    drawn = {field.name: float(random.uniform(*ranges[field.name])) for field in fields(Parameters)}
    drawn["photons"] = float(np.exp(random.uniform(*np.log(ranges["photons"]))))
    return Parameters(**drawn)
