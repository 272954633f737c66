"""Sequences of synthetic angiograms: one patient's one artery from one angle, frame by frame."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from helpers.dev.synthesis.background import Chest, draw_chest
from helpers.dev.synthesis.coronary_tree import VISIBLE_DIAMETER, Vessel, grow
from helpers.dev.synthesis.detector import DetectorDisplay, Field, draw_display, draw_field, expose
from helpers.dev.synthesis.projection import OVERSAMPLING, View, add_chords, beat, pooled, rotation_of
from helpers.dev.synthesis.sequence_parameters import (
    CATHETER,
    NO_INJECTION,
    STENOSIS,
    WIRES,
    Artery,
    Parameters,
    Split,
    draw_parameters,
    split_of_patient,
)

FRAME_SECONDS = 0.25
BLOOD_MM_PER_S = 300.0
# Share of the full contrast from which a vessel counts as visible.
VISIBLE_CONTRAST = 0.35


@dataclass(frozen=True)
class SyntheticFrame:
    """A frame and its truth.

    Attributes:
        frame_id: such as `P001-S01-F001`.
        split: of its patient.
        image: uint8 (H, W).
        mask: bool (H, W).
        catheter, wires, stenosis: whether the sequence has them.
    """

    frame_id: str
    split: Split
    image: np.ndarray
    mask: np.ndarray
    catheter: bool
    wires: bool
    stenosis: bool


@dataclass(frozen=True)
class Sequence:
    """All that the frames of a sequence share."""

    split: Split
    parameters: Parameters
    vessels: tuple[Vessel, ...]
    stenosis: bool
    catheter: np.ndarray | None
    catheter_depth: float
    wires: bool
    injected: bool
    plateau_s: float
    view: View
    chest: Chest
    field: Field
    display: DetectorDisplay


def draw_frame(seed: int, patient: int, sequence: int, frame: int, size: int = 512) -> SyntheticFrame:
    """One frame, the same whatever else is drawn.

    Args:
        seed: of the data set.
        patient, sequence, frame: numbers from 1.
        size: height and width, pixels; all else scales with it.
    """
    shared = draw_sequence(seed, patient, sequence, size)
    random = _random(seed, patient, sequence, frame)
    seconds = (frame - 1) * FRAME_SECONDS
    chord, truth = project(shared, seconds, size)
    p = shared.parameters
    breath = breathing(shared, seconds) / p.pixel_mm * size / 512
    attenuation = shared.chest.attenuation(breath) + p.iodine * chord
    if shared.catheter is not None:
        attenuation = attenuation + shared.catheter_depth * _catheter(shared, seconds, size)
    image = expose(attenuation, p, shared.display, shared.field, random)
    return SyntheticFrame(
        f"P{patient:03d}-S{sequence:02d}-F{frame:03d}",
        shared.split,
        image,
        truth & shared.field.inside,
        shared.catheter is not None,
        shared.wires,
        shared.stenosis,
    )


@lru_cache(maxsize=2)
def draw_sequence(seed: int, patient: int, sequence: int, size: int) -> Sequence:
    """The shared part of a sequence's frames. A patient's sequences alternate between the arteries."""
    random = _random(seed, patient, sequence, 0)
    split = split_of_patient(patient)
    p = draw_parameters(split, random)
    first = int(_random(seed, patient, 0, 0).integers(2))
    side = (Artery.LEFT, Artery.RIGHT)[(first + sequence) % 2]
    vessels, stenosis = grow(side, p.calibre, p.tortuosity, STENOSIS, random)
    rotation = rotation_of(random.uniform(-50, 60), random.uniform(-35, 35))
    pixel = p.pixel_mm * 512 / size
    extent = np.concatenate([vessel.points for vessel in vessels[:6]]) @ rotation.T
    target = np.median(extent[:, :2], axis=0) / pixel
    view = View(rotation, tuple(size * random.uniform(0.38, 0.62, 2) - target), pixel)
    wires = bool(random.random() < WIRES)
    catheter = _catheter_path(random, size) if random.random() < CATHETER else None
    return Sequence(
        split=split,
        parameters=p,
        vessels=vessels,
        stenosis=stenosis,
        catheter=catheter,
        catheter_depth=float(random.uniform(0.04, 0.14)),
        wires=wires,
        injected=bool(random.random() >= NO_INJECTION),
        plateau_s=float(random.uniform(1.2, 4.0)),
        view=view,
        chest=draw_chest(size, p.structure, p.texture, wires, random),
        field=draw_field(size, random),
        display=draw_display(random),
    )


def contrast(travelled: np.ndarray, seconds: float, arrival: float, plateau: float) -> np.ndarray:
    """Share of the full contrast, 0 to 1, at distances (mm) from the ostium: in over 0.3 s, out over 1.5 s."""
    since = seconds - arrival - travelled / BLOOD_MM_PER_S
    return np.clip(since / 0.3, 0, 1) * (1 - np.clip((since - plateau) / 1.5, 0, 1))


def breathing(shared: Sequence, seconds: float) -> float:
    """How far breath has moved heart and diaphragm down, mm."""
    return shared.parameters.breathing_mm * float(np.sin(2 * np.pi * seconds / 4))


def project(shared: Sequence, seconds: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(chord, truth): contrast times mm of lumen along each ray, float32 (H, W); and the mask, bool (H, W)."""
    fine = np.zeros((size * OVERSAMPLING, size * OVERSAMPLING), dtype=np.float32)
    truth = np.zeros(fine.shape, dtype=bool)
    p, pixel = shared.parameters, shared.view.pixel_mm
    for vessel in shared.vessels if shared.injected else ():
        weights = contrast(vessel.travelled, seconds, p.arrival_s, shared.plateau_s)
        if weights.max() <= 0:
            continue
        visible = (weights >= VISIBLE_CONTRAST) & (2 * np.median(vessel.radii) >= VISIBLE_DIAMETER)
        add_chords(fine, _seen(shared, vessel.points, seconds), vessel.radii / pixel, weights, truth, visible)
    return pooled(fine) * pixel, pooled(truth) > 0.5


def _seen(shared: Sequence, points: np.ndarray, seconds: float) -> np.ndarray:
    moved = shared.view.project(beat(points, seconds * shared.parameters.heart_rate_hz))
    return moved + (0, breathing(shared, seconds) / shared.view.pixel_mm)


def _catheter_path(random: np.random.Generator, size: int) -> np.ndarray:
    """The course of a catheter relative to its tip, pixels (80, 2): a hook, then away beyond the frame's edge."""
    t = np.linspace(0, 1, 80)[:, None]
    away = random.normal(0, 0.35), -random.uniform(0.7, 1.3) if random.random() < 0.85 else random.uniform(0.7, 1.3)
    hook = np.array([random.normal(0, 0.14), random.uniform(-0.1, 0.1)])
    return size * (np.array(away) * t**1.3 + hook * np.sin(np.pi * np.minimum(t * 1.6, 1)) * (1 - t))


def _catheter(shared: Sequence, seconds: float, size: int) -> np.ndarray:
    """Attenuation of the catheter in units of its depth; none of it belongs to the truth."""
    fine = np.zeros((size * OVERSAMPLING, size * OVERSAMPLING), dtype=np.float32)
    tip = _seen(shared, shared.vessels[0].points[:1], seconds)[0]
    line = shared.catheter + tip
    filled = 1.0
    if shared.injected:
        arrival = shared.parameters.arrival_s
        filled += 1.2 * float(contrast(np.zeros(1), seconds, arrival - 0.3, shared.plateau_s)[0])
    width = 0.95 / shared.view.pixel_mm
    add_chords(fine, line, np.full(len(line), width), np.full(len(line), filled / width))
    return pooled(fine)


def _random(seed: int, *place: int) -> np.random.Generator:
    """The generator of a patient's, sequence's or frame's own stream; 0 stands for what is shared below it."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))
