"""What lies around the heart in the beam: lung and its texture, heart shadow, spine, ribs, diaphragm; and wires."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from helpers.dev.synthesis.projection import OVERSAMPLING, add_chords, pooled
from helpers.dev.synthesis.sequence_parameters import Shares


@dataclass(frozen=True)
class Chest:
    """Attenuation of what stands still, and the diaphragm, which moves.

    Attributes:
        still: float32 (H, W), exponent of the attenuation; a metal's is about 1, a rib's about 0.15.
        dome: float64 (W,), row of the diaphragm's edge in each column.
        abdomen: what the diaphragm adds below its edge.
        softness: of that edge, pixels.
    """

    still: np.ndarray
    dome: np.ndarray
    abdomen: float
    softness: float

    def attenuation(self, shift: float) -> np.ndarray:
        """The exponent with the diaphragm `shift` pixels lower, float32 (H, W)."""
        rows = np.arange(self.still.shape[0], dtype=np.float32)[:, None]
        edge = np.clip((rows - self.dome[None, :] - shift) / self.softness, -15, 15)
        return self.still + (self.abdomen / (1 + np.exp(-edge))).astype(np.float32)


def draw_chest(
    size: int, structure: float, texture: float, wires: bool, random: np.random.Generator, shares: Shares
) -> Chest:
    """A chest behind a frame of `size` pixels.

    Args:
        structure: strength of the anatomy; 1 is usual.
        texture: standard deviation of the lung's texture in the exponent.
        wires: whether there are leads, sternal wires or a pacing lead.
        shares: how often there are bones and bright lung.
    """
    scale = size / 512
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / size
    field = random.uniform(0.03, 0.2) * structure * _clouds(size, (3, 5), random)
    # The heart's shadow, brighter lung beside it.
    x, y = random.uniform(0.2, 0.8, 2)
    ellipse = np.hypot((columns - x) / random.uniform(0.35, 0.7), (rows - y) / random.uniform(0.35, 0.7))
    field += structure * random.uniform(0.1, 0.7) / (1 + np.exp((ellipse - 1) / random.uniform(0.03, 0.2)))
    if random.random() < shares.spine:
        field += structure * _spine(rows, columns, random)
    if random.random() < shares.ribs:
        field += structure * _ribs(rows, columns, random)
    field += texture * _clouds(size, (16, 32, 64, 128), random)
    field += _lung_vessels(size, random.uniform(0.0, 0.05) * structure, random)
    if wires:
        field += _wires(size, scale, random)
    if shares.lung and random.random() < shares.lung:
        field += _heart_in_lung(rows, columns, random)
    place = np.linspace(0, 1, size)
    top = random.uniform(0.55, 1.5)
    dome = size * (top + random.uniform(0.1, 1.2) * (place - random.uniform(-0.2, 1.2)) ** 2)
    return Chest(
        field.astype(np.float32), dome, structure * random.uniform(0.15, 0.6), scale * np.exp(random.uniform(0, 2.3))
    )


def _heart_in_lung(rows: np.ndarray, columns: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The border of the heart beside lung so bright that a display shows it white, whatever the anatomy's strength."""
    angle = random.uniform(0, 2 * np.pi)
    x, y = 0.5 + random.uniform(0.3, 0.6) * np.array([-np.cos(angle), -np.sin(angle)])
    away = np.hypot((columns - x) / random.uniform(0.8, 1.0), (rows - y) / random.uniform(0.8, 1.0))
    edge = (away - random.uniform(0.75, 1.0)) / random.uniform(0.02, 0.12)
    return random.uniform(0.6, 1.5) / (1 + np.exp(np.clip(edge, -30, 30)))


def wide_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """A blur of many pixels, worked out on a coarser grid."""
    step = max(int(sigma // 4), 1)
    if step == 1 or image.shape[0] % step:
        step = next((s for s in range(step, 0, -1) if image.shape[0] % s == 0), 1)
    coarse = image.reshape(image.shape[0] // step, step, image.shape[1] // step, step).mean(axis=(1, 3))
    return _resized(gaussian_filter(coarse, sigma / step, mode="nearest"), image.shape[0])


def _clouds(size: int, grains: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Noise of several grain counts across the frame, standard deviation about 1."""
    total = np.zeros((size, size), dtype=np.float32)
    power = 0.0
    for grain in grains:
        weight = random.uniform(0.3, 1)
        power += weight**2
        total += weight * _resized(random.normal(size=(grain, grain)).astype(np.float32), size)
    return total / np.sqrt(power)


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    return zoom(image, size / image.shape[0], order=1 if image.shape[0] > 100 else 3, grid_mode=True, mode="nearest")


def _spine(rows: np.ndarray, columns: np.ndarray, random: np.random.Generator) -> np.ndarray:
    across = np.abs(columns - random.uniform(0, 1) - random.normal(0, 0.15) * (rows - 0.5)) / random.uniform(0.08, 0.17)
    wave = np.sin(2 * np.pi * (rows * random.uniform(3, 5) + random.uniform()))
    body = 1 / (1 + np.exp(np.minimum((across - 1 + 0.08 * wave) / 0.06, 30)))
    discs = 1 - 0.5 / (1 + np.exp((wave + 0.75) / 0.08))
    return random.uniform(0.1, 0.4) * body * discs


def _ribs(rows: np.ndarray, columns: np.ndarray, random: np.random.Generator) -> np.ndarray:
    slope, bend = random.uniform(-0.9, 0.9), random.uniform(-0.6, 0.6)
    along = rows + slope * columns + bend * (columns - 0.5) ** 2
    place = (along * random.uniform(2.5, 4.5) + random.uniform()) % 1.0
    width = random.uniform(0.25, 0.4)
    inside = 1 / (1 + np.exp((np.abs(place - 0.5) - width / 2) / 0.012))
    edges = np.exp(-(((np.abs(place - 0.5) - width / 2) / 0.02) ** 2))
    return random.uniform(0.02, 0.1) * (inside + 0.5 * edges)


def _lung_vessels(size: int, depth: float, random: np.random.Generator) -> np.ndarray:
    """Blurred streaks that look somewhat like vessels and are none."""
    total = np.zeros((size * OVERSAMPLING, size * OVERSAMPLING), dtype=np.float32)
    for _ in range(random.integers(4, 16)):
        start = random.uniform(0, size, 2)
        line = _curve(start, start + random.normal(0, 0.35 * size, 2), random.normal(0, 0.05 * size, 2))
        width = random.uniform(2, 6) * size / 512
        add_chords(total, line, np.full(len(line), width), np.full(len(line), 0.5 / width))
    return depth * gaussian_filter(pooled(total), random.uniform(1.5, 5) * size / 512)


def _wires(size: int, scale: float, random: np.random.Generator) -> np.ndarray:
    """Leads across the frame, or the loops of a closed sternum."""
    total = np.zeros((size * OVERSAMPLING, size * OVERSAMPLING), dtype=np.float32)
    if random.random() < 0.7:
        for _ in range(random.integers(1, 4)):
            angle, reach = random.uniform(0, 2 * np.pi), 0.8 * size
            middle = size * random.uniform(0.2, 0.8, 2)
            way = np.array([np.cos(angle), np.sin(angle)]) * reach
            line = _curve(middle - way, middle + way, random.normal(0, 0.12 * size, 2))
            width = random.uniform(0.8, 2.2) * scale
            add_chords(
                total, line, np.full(len(line), width), np.full(len(line), random.uniform(0.1, 0.9) / (2 * width))
            )
    else:
        x = size * random.uniform(0.1, 0.9)
        for y in np.arange(random.uniform(0, 60) * scale, size, random.uniform(70, 110) * scale):
            t = np.linspace(0, 2 * np.pi * random.uniform(0.9, 1.2), 40) + random.uniform(0, 6)
            loop = np.stack([x + 22 * scale * np.cos(t), y + 9 * scale * np.sin(t) + 3 * scale * np.cos(3 * t)], axis=1)
            width = random.uniform(1.0, 1.8) * scale
            add_chords(total, loop, np.full(40, width), np.full(40, 1.2 / (2 * width)))
    return pooled(total)


def _curve(start: np.ndarray, end: np.ndarray, bow: np.ndarray) -> np.ndarray:
    t = np.linspace(0, 1, 60)[:, None]
    return start + (end - start) * t + bow * np.sin(np.pi * t) + 0.5 * bow[::-1] * np.sin(2 * np.pi * t)
