"""Sequences of synthetic angiograms: one patient's one artery from one angle, frame by frame."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.ndimage import shift

from helpers.core.vocabulary import SynthGenerator
from helpers.dev.synthesis.background import Chest, draw_chest
from helpers.dev.synthesis.coronary_tree import VISIBLE_DIAMETER, Vessel, enlarged, grow
from helpers.dev.synthesis.detector import DetectorDisplay, Field, draw_display, draw_field, expose
from helpers.dev.synthesis.lesion import Lesion, LesionKind, ShownLesion, shown
from helpers.dev.synthesis.occlusion import occlude
from helpers.dev.synthesis.projection import OVERSAMPLING, View, add_chords, beat, pooled, rotation_of
from helpers.dev.synthesis.sequence_parameters import (
    GENERATORS,
    Artery,
    Parameters,
    Shares,
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
        catheter, wires, stenosis, occlusion, subtracted: whether the sequence has them, or is so.
        lesions: where the frame shows each stenosis and occlusion.
    """

    frame_id: str
    split: Split
    image: np.ndarray
    mask: np.ndarray
    catheter: bool
    wires: bool
    stenosis: bool
    occlusion: bool
    subtracted: bool
    lesions: tuple[ShownLesion, ...]


@dataclass(frozen=True)
class Reflux:
    """A cloud of contrast in the aorta beside the ostium: its middle, mm right and down of it, width and depth."""

    offset_mm: tuple[float, float]
    width_mm: float
    depth: float


@dataclass(frozen=True)
class Misplaced:
    """How the frame that is subtracted lies against the others: moved by whole pixels, its diaphragm by `breath_px`."""

    rows: int
    columns: int
    breath_px: float


@dataclass(frozen=True)
class Sequence:
    """All that the frames of a sequence share."""

    split: Split
    parameters: Parameters
    vessels: tuple[Vessel, ...]
    lesions: tuple[Lesion, ...]
    catheter: np.ndarray | None
    catheter_depth: float
    wires: bool
    injected: bool
    plateau_s: float
    view: View
    chest: Chest
    field: Field
    display: DetectorDisplay
    reflux: Reflux | None = None
    subtracted: Misplaced | None = None


def draw_frame(
    seed: int,
    patient: int,
    sequence: int,
    frame: int,
    size: int = 512,
    generator: SynthGenerator = SynthGenerator.FIRST,
) -> SyntheticFrame:
    """One frame, the same whatever else is drawn.

    Args:
        seed: of the data set.
        patient, sequence, frame: numbers from 1.
        size: height and width, pixels; all else scales with it.
        generator: how to draw.
    """
    shared = draw_sequence(seed, patient, sequence, size, generator)
    random = _random(seed, patient, sequence, frame)
    seconds = (frame - 1) * FRAME_SECONDS
    chord, truth = project(shared, seconds, size)
    p = shared.parameters
    breath = breathing(shared, seconds) / p.pixel_mm * size / 512
    attenuation = shared.chest.attenuation(breath) + p.iodine * chord
    if shared.catheter is not None:
        attenuation = attenuation + shared.catheter_depth * _catheter(shared, seconds, size)
    if shared.reflux is not None:
        attenuation = attenuation + _cloud(shared, shared.reflux, seconds, size)
    before = None if shared.subtracted is None else _before_contrast(shared, shared.subtracted, seconds, size)
    image = expose(attenuation, p, shared.display, shared.field, random, before)
    kinds = {lesion.kind for lesion in shared.lesions}
    return SyntheticFrame(
        f"P{patient:03d}-S{sequence:02d}-F{frame:03d}",
        shared.split,
        image,
        truth & shared.field.inside,
        shared.catheter is not None,
        shared.wires,
        LesionKind.STENOSIS in kinds,
        bool(kinds & {LesionKind.SUBTOTAL, LesionKind.TOTAL}),
        shared.subtracted is not None,
        _shown_lesions(shared, seconds),
    )


@lru_cache(maxsize=2)
def draw_sequence(
    seed: int, patient: int, sequence: int, size: int, generator: SynthGenerator = SynthGenerator.FIRST
) -> Sequence:
    """The shared part of a sequence's frames. A patient's sequences alternate between the arteries."""
    random, of = _random(seed, patient, sequence, 0), GENERATORS[generator]
    split, shares = split_of_patient(patient), of.shares
    p = draw_parameters(split, random, generator)
    first = int(_random(seed, patient, 0, 0).integers(2))
    side = (Artery.LEFT, Artery.RIGHT)[(first + sequence) % 2]
    vessels, lesions = grow(side, p.calibre, p.tortuosity, shares.stenosis, random)
    rotation = rotation_of(random.uniform(-50, 60), random.uniform(-35, 35))
    pixel = p.pixel_mm * 512 / size
    vessels = enlarged(vessels, p.heart)
    extent = np.concatenate([vessel.points for vessel in vessels[:6]]) @ rotation.T
    target = np.median(extent[:, :2], axis=0) / pixel
    view = View(rotation, tuple(size * random.uniform(0.38, 0.62, 2) - target), pixel)
    wires = bool(random.random() < shares.wires)
    catheter = _catheter_path(random, size) if random.random() < shares.catheter else None
    made = Sequence(
        split=split,
        parameters=p,
        vessels=vessels,
        lesions=lesions,
        catheter=catheter,
        catheter_depth=float(random.uniform(*of.catheter_depth)),
        wires=wires,
        injected=bool(random.random() >= shares.no_injection),
        plateau_s=float(random.uniform(1.2, 4.0)),
        view=view,
        chest=draw_chest(size, p.structure, p.texture, wires, random, shares),
        field=draw_field(size, random, of),
        display=draw_display(random),
    )
    return made if generator is SynthGenerator.FIRST else _of_the_second(made, shares, size, random)


def _of_the_second(made: Sequence, shares: Shares, size: int, random: np.random.Generator) -> Sequence:
    """What the second generator adds: an occlusion, reflux, subtraction."""
    vessels, lesions = made.vessels, made.lesions
    if random.random() < shares.occlusion:
        kind = LesionKind.TOTAL if random.random() < shares.total else LesionKind.SUBTOTAL
        vessels, closed = occlude(vessels, kind, random)
        lesions += closed
    reflux = subtracted = None
    if random.random() < shares.reflux:
        away = random.normal(0, 6, 2)
        reflux = Reflux((float(away[0]), float(away[1])), random.uniform(3, 9), random.uniform(0.1, 0.5))
    if random.random() < shares.subtracted:
        rows, columns = np.round(random.normal(0, 2.5, 2) * size / 512).astype(int)
        subtracted = Misplaced(int(rows), int(columns), float(random.normal(0, 4) * size / 512))
    return replace(made, vessels=vessels, lesions=lesions, reflux=reflux, subtracted=subtracted)


def contrast(travelled: np.ndarray, seconds: float, arrival: float | np.ndarray, plateau: float) -> np.ndarray:
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
    pixel = shared.view.pixel_mm
    for vessel in shared.vessels if shared.injected else ():
        weights = _filling(shared, vessel, seconds)
        if weights.max() <= 0:
            continue
        visible = _counts(vessel, weights)
        add_chords(fine, _seen(shared, vessel.points, seconds), vessel.radii / pixel, weights, truth, visible)
    return pooled(fine) * pixel, pooled(truth) > 0.5


def _filling(shared: Sequence, vessel: Vessel, seconds: float) -> np.ndarray:
    """Share of the full contrast at each point of a vessel, float64 (N,)."""
    arrival = shared.parameters.arrival_s
    late = arrival if vessel.late_s is None else arrival + vessel.late_s
    weights = contrast(vessel.travelled, seconds, late, shared.plateau_s)
    return weights if vessel.share is None else weights * vessel.share


def _counts(vessel: Vessel, weights: np.ndarray) -> np.ndarray:
    """Which points of a vessel are truth, bool (N,)."""
    found: np.ndarray = (weights >= VISIBLE_CONTRAST) & (2 * np.median(vessel.radii) >= VISIBLE_DIAMETER)
    return found


def _shown_lesions(shared: Sequence, seconds: float) -> tuple[ShownLesion, ...]:
    found = []
    for lesion in shared.lesions if shared.injected else ():
        vessel = shared.vessels[lesion.vessel]
        visible = _counts(vessel, _filling(shared, vessel, seconds))
        points = _seen(shared, vessel.points, seconds)
        found.append(shown(lesion, points, vessel.radii / shared.view.pixel_mm, visible, shared.field.inside))
    return tuple(found)


def _before_contrast(shared: Sequence, place: Misplaced, seconds: float, size: int) -> np.ndarray:
    """The attenuation of the frame that is subtracted, float (H, W): no contrast, and all of it a little elsewhere."""
    breath = breathing(shared, seconds) / shared.parameters.pixel_mm * size / 512 + place.breath_px
    moved: np.ndarray = shift(shared.chest.attenuation(breath), (place.rows, place.columns), order=0, mode="nearest")
    return moved


def _cloud(shared: Sequence, reflux: Reflux, seconds: float, size: int) -> np.ndarray:
    """Attenuation of contrast that flows back, float (H, W), while the vessel is filled."""
    filled = float(contrast(np.zeros(1), seconds, shared.parameters.arrival_s, shared.plateau_s)[0])
    pixel = shared.view.pixel_mm
    middle = _seen(shared, shared.vessels[0].points[:1], seconds)[0] + np.array(reflux.offset_mm) / pixel
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) + 0.5
    away = np.hypot(columns - middle[0], rows - middle[1]) * pixel / reflux.width_mm
    cloud: np.ndarray = (filled if shared.injected else 0.0) * reflux.depth * np.exp(-(away**2))
    return cloud


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
