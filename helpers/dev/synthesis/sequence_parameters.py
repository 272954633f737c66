"""What varies between synthetic sequences, with its ranges: those of training, and those held out for the test."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from helpers.core.vocabulary import SynthGenerator


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

# The second generator's: larger trees, softer frames, a calmer background, see docs/synthesis.md.
_SECOND: Mapping[str, tuple[float, float]] = {
    "tortuosity": (0.3, 1.9),
    "structure": (0.1, 0.8),
    "blur_px": (0.8, 3.5),
    "grain_px": (0.5, 2.5),
    "window": (0.3, 0.65),
    "flattening": (0.0, 0.5),
    "heart": (1.0, 1.6),
}
TRAIN_2: Mapping[str, tuple[float, float]] = {**TRAIN, **_SECOND}
HELD_OUT_2: Mapping[str, tuple[float, float]] = {
    **HELD_OUT,
    **_SECOND,
    "tortuosity": (0.3, 2.2),
    "blur_px": (0.7, 3.8),
    "heart": (0.9, 1.7),
}


@dataclass(frozen=True)
class Shares:
    """Of how many sequences have something, 0 to 1.

    Attributes:
        catheter, wires, stenosis, no_injection: what the names say.
        round_field, rectangular_field: collimators; the others have none.
        spine, ribs: bones in the background.
        occlusion: one vessel is closed, or all but closed.
        total: of these occlusions, those that leave no thread.
        subtracted: shown less a frame before contrast.
        lung: bright lung beside the heart, up to white.
        reflux: contrast that flows back into the aorta.
    """

    catheter: float = 0.9
    wires: float = 0.45
    stenosis: float = 0.6
    no_injection: float = 0.05
    round_field: float = 0.4
    rectangular_field: float = 0.25
    spine: float = 0.5
    ribs: float = 0.7
    occlusion: float = 0.0
    total: float = 0.6
    subtracted: float = 0.0
    lung: float = 0.0
    reflux: float = 0.0


@dataclass(frozen=True)
class GeneratorRanges:
    """What a generator draws from.

    Attributes:
        train, held_out: ranges of the parameters, see TRAIN.
        shares: of sequences.
        field_radius, field_offset: of a round collimator, shares of the side; a large one leaves the frame in part.
        catheter_depth: attenuation of a catheter without contrast.
    """

    train: Mapping[str, tuple[float, float]]
    held_out: Mapping[str, tuple[float, float]]
    shares: Shares
    field_radius: tuple[float, float]
    field_offset: float
    catheter_depth: tuple[float, float]


GENERATORS: Mapping[SynthGenerator, GeneratorRanges] = {
    SynthGenerator.FIRST: GeneratorRanges(TRAIN, HELD_OUT, Shares(), (0.48, 0.66), 0.12, (0.04, 0.14)),
    SynthGenerator.SECOND: GeneratorRanges(
        TRAIN_2,
        HELD_OUT_2,
        Shares(
            wires=0.1,
            round_field=0.55,
            rectangular_field=0.05,
            spine=0.2,
            ribs=0.3,
            occlusion=0.5,
            subtracted=0.4,
            lung=0.6,
            reflux=0.25,
        ),
        (0.58, 0.85),
        0.25,
        (0.02, 0.1),
    ),
}


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
    heart: float = 1.0


def split_of_patient(patient: int) -> Split:
    """Of six consecutive patients (numbered from 1) the fifth is for development, the sixth for the test."""
    return {5: Split.DEV, 0: Split.TEST}.get(patient % 6, Split.TRAIN)


def draw_parameters(
    split: Split, random: np.random.Generator, generator: SynthGenerator = SynthGenerator.FIRST
) -> Parameters:
    """A sequence's parameters from the ranges of its split; photons are drawn in their logarithm."""
    of = GENERATORS[generator]
    ranges = of.held_out if split is Split.TEST else of.train
    drawn = {name: float(random.uniform(*ends)) for name, ends in ranges.items()}
    drawn["photons"] = float(np.exp(random.uniform(*np.log(ranges["photons"]))))
    return Parameters(**drawn)
