"""Coronary trees in three dimensions: vessels on the surface of an ellipsoidal heart, with calibres by Murray's law."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from helpers.dev.synthesis.lesion import Lesion, LesionKind
from helpers.dev.synthesis.sequence_parameters import Artery

# Half axes of the heart, mm: across at the groove, and from the base to the apex.
AXES = (43.0, 40.0, 58.0)
STEP = 0.5
MURRAY = 2.7
# A vessel whose median lumen is narrower (mm) is drawn but does not count as truth: readers leave such twigs out.
VISIBLE_DIAMETER = 0.7


@dataclass(frozen=True)
class Vessel:
    """One vessel without its branches.

    Attributes:
        points: float64 (N, 3), mm in the heart's own frame, about STEP apart.
        radii: float64 (N,), lumen, mm.
        travelled: float64 (N,), mm along the vessels from the ostium.
        parent: number of the vessel that it leaves; None for the first.
        start: point of the parent where it leaves.
        share: float64 (N,), of the contrast that reaches it; None for all.
        late_s: float64 (N,), by how much later than along the open way contrast comes; None for nothing.
    """

    points: np.ndarray
    radii: np.ndarray
    travelled: np.ndarray
    parent: int | None = None
    start: int = 0
    share: np.ndarray | None = None
    late_s: np.ndarray | None = None


def grow(
    side: Artery, calibre: float, tortuosity: float, stenosis_share: float, random: np.random.Generator
) -> tuple[tuple[Vessel, ...], tuple[Lesion, ...]]:
    """The tree of one artery: (vessels, stenoses). The first point of the first vessel is the ostium."""
    builder = _Builder(tortuosity, random)
    if side is Artery.RIGHT:
        _right(builder, calibre)
    else:
        _left(builder, calibre)
    lesions: tuple[Lesion, ...] = ()
    if random.random() < stenosis_share:
        lesions = tuple(_narrow(builder.vessels, random) for _ in range(random.integers(1, 4)))
    return tuple(builder.vessels), lesions


def enlarged(vessels: Sequence[Vessel], factor: float) -> tuple[Vessel, ...]:
    """The tree of a larger heart, with vessels as wide as before."""
    return tuple(replace(one, points=one.points * factor, travelled=one.travelled * factor) for one in vessels)


def _right(builder: "_Builder", calibre: float) -> None:
    r = builder.random
    groove = r.uniform(92, 102)
    main = builder.vessel(
        [
            (-0.2, groove + 25, 0.55),
            (-0.55, groove + 6, 0.95),
            (-1.3, groove, 1),
            (-2.1, groove - 3, 1),
            (-2.75, groove - 5, 1),
            (-3.05, groove - 8, 1),
        ],
        r.uniform(1.5, 2.1) * calibre,
        0.72,
    )
    for az in r.uniform(-2.5, -0.7, r.integers(2, 5)):
        builder.branch(main, az, (az + r.uniform(0, 0.5), r.uniform(35, 65)), r.uniform(0.35, 0.6))
    end = main.radii[-1]
    pda = builder.vessel([(-3.05, groove - 8, 1), (-3.15, 75, 1), (-3.1, r.uniform(25, 45), 1)], end * 0.85, 0.55, main)
    plv = builder.vessel(
        [(-3.05, groove - 8, 1), (-3.5, groove - 12, 1), (-4.0, r.uniform(60, 80), 1)], end * 0.85, 0.55, main
    )
    builder.twigs((main, pda, plv), 10)


def _left(builder: "_Builder", calibre: float) -> None:
    r = builder.random
    groove = r.uniform(92, 102)
    trunk = builder.vessel(
        [(0.6, groove + 9, 0.8), (0.5, groove + 4, 0.9), (0.4, groove - 2, 1)], r.uniform(1.9, 2.4) * calibre, 0.92
    )
    start, end = (0.4, groove - 2, 1), trunk.radii[-1]
    lad = builder.vessel(
        [start, (0.1, 75, 1), (0, 50, 1), (-0.05, 25, 1), (r.uniform(-1, 1), r.uniform(4, 14), 1)],
        end * 0.85,
        0.55,
        trunk,
    )
    lcx = builder.vessel(
        [start, (0.9, groove, 1), (1.5, groove, 1), (r.uniform(2.0, 2.8), groove - 6, 1)],
        end * r.uniform(0.65, 0.85),
        0.6,
        trunk,
    )
    sides = [lad, lcx]
    for pol in r.uniform(35, 80, r.integers(2, 5)):
        sides.append(
            builder.branch(lad, pol, (r.uniform(0.5, 1.2), pol * r.uniform(0.4, 0.7)), r.uniform(0.45, 0.7), 1)
        )
    for pol in r.uniform(30, 75, r.integers(2, 6)):
        sides.append(
            builder.branch(lad, pol, (-0.1, pol - r.uniform(10, 25)), r.uniform(0.2, 0.4), 1, r.uniform(0.3, 0.6))
        )
    for az in r.uniform(0.8, 2.2, r.integers(1, 4)):
        sides.append(builder.branch(lcx, az, (az + r.uniform(0, 0.4), r.uniform(30, 60)), r.uniform(0.5, 0.8)))
    builder.twigs(tuple(sides), 14)


class _Builder:
    def __init__(self, tortuosity: float, random: np.random.Generator) -> None:
        self.random, self.tortuosity = random, tortuosity
        self.vessels: list[Vessel] = []
        self._angles: list[np.ndarray] = []

    def vessel(
        self,
        controls: Sequence[Sequence[float]],
        radius: float,
        left: float,
        parent: Vessel | None = None,
        at: int = -1,
    ) -> Vessel:
        """A vessel through (azimuth in rad, polar angle in degrees, depth: 1 on the surface), tapering to `left`."""
        angles = _through(np.asarray(controls, dtype=float))
        points = _on_heart(angles)
        length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
        count = max(int(length / STEP), 8)
        angles = angles[np.linspace(0, len(angles) - 1, count).astype(int)]
        points = gaussian_filter1d(_on_heart(angles), 3, axis=0, mode="nearest")
        points = points + self._winding(count, radius)
        if parent is not None:
            points += parent.points[at] - points[0]
        steps = np.r_[0, np.linalg.norm(np.diff(points, axis=0), axis=1)]
        before = 0.0 if parent is None else parent.travelled[at]
        radii = radius * (1 - (1 - left) * np.linspace(0, 1, count) ** 0.9)
        radii *= 1 + 0.06 * _smooth(self.random, count, 8)
        # What lies inside the parent would count twice in the projection.
        inset = 0 if parent is None else min(int(0.7 * parent.radii[at] / STEP), count // 2)
        angles = angles[inset:]
        made = Vessel(
            points[inset:],
            radii[inset:],
            (before + np.cumsum(steps))[inset:],
            None if parent is None else self._number(parent),
            0 if parent is None else range(len(parent.points))[at],
        )
        self.vessels.append(made)
        self._angles.append(angles)
        return made

    def branch(
        self, parent: Vessel, at: float, end: tuple[float, float], ratio: float, axis: int = 0, depth: float = 1.0
    ) -> Vessel:
        """A branch that leaves where the parent's azimuth (axis 0) or polar angle (1) is `at`; the parent narrows."""
        angles = self._angles[self._number(parent)]
        start = int(np.clip(np.argmin(np.abs(angles[:, axis] - at)), 4, len(angles) - 4))
        radius = parent.radii[start] * ratio
        # Murray: what the branch takes, the parent lacks beyond it.
        shrink = (1 - ratio**MURRAY) ** (1 / MURRAY)
        parent.radii[start:] *= 1 - (1 - shrink) * np.clip(np.arange(len(angles) - start) / 6, 0, 1)
        here = angles[start]
        goal = np.r_[end, depth]
        middle = (here + goal) / 2 + np.r_[self.random.normal(0, 0.12), self.random.normal(0, 4), 0]
        return self.vessel([here, middle, goal], radius, 0.6, parent, start)

    def twigs(self, parents: tuple[Vessel, ...], count: int) -> None:
        """Thin branches, most of them below VISIBLE_DIAMETER."""
        for _ in range(count):
            parent = parents[self.random.integers(len(parents))]
            index = self._number(parent)
            start = int(self.random.integers(len(parent.points) // 5, len(parent.points) - 2))
            here = self._angles[index][start]
            end = here + np.r_[self.random.normal(0, 0.4), self.random.normal(-10, 15), 0]
            radius = min(self.random.uniform(0.15, 0.5), parent.radii[start] * 0.8)
            self.vessel([here, (here + end) / 2 + self.random.normal(0, 0.03, 3), end], radius, 0.6, parent, start)

    def _number(self, vessel: Vessel) -> int:
        return next(number for number, one in enumerate(self.vessels) if one.points is vessel.points)

    def _winding(self, count: int, radius: float) -> np.ndarray:
        """Offsets of a winding course, float64 (count, 3), mm, none at the start; thin vessels wind tighter."""
        tight = 1.0 if radius < 1.3 else 0.35
        ramp = np.clip(np.arange(count) / 30, 0, 1)[:, None] ** 1.5
        offsets = np.zeros((count, 3))
        for scale, amplitude in ((25, 2.5), (10, 0.9 * tight), (5, 0.45 * tight)):
            offsets += amplitude * np.stack([_smooth(self.random, count, scale) for _ in range(3)], axis=1)
        if radius < 1.3 and self.random.random() < 0.4:
            wave = 2 * np.pi * np.arange(count) * STEP / self.random.uniform(6, 13) + self.random.uniform(0, 6)
            axes = np.linalg.qr(self.random.normal(size=(3, 3)))[0]
            offsets += 1.1 * (np.sin(wave)[:, None] * axes[0] + np.cos(wave * 0.9)[:, None] * axes[1])
        return self.tortuosity * ramp * (offsets - offsets[0])


def _narrow(vessels: list[Vessel], random: np.random.Generator) -> Lesion:
    wide = [number for number, vessel in enumerate(vessels) if vessel.radii[0] > 0.8] or [0]
    number = wide[random.integers(len(wide))]
    radii = vessels[number].radii
    middle = random.uniform(0.1, 0.8) * len(radii)
    place = np.arange(len(radii)) - middle
    width = random.uniform(1.0, 5.0) / STEP
    radii[:] = np.maximum(radii * (1 - random.uniform(0.3, 0.8) * np.exp(-((place / width) ** 2) / 2)), 0.2)
    narrowest, reach = min(round(middle), len(radii) - 1), round(2 * width)
    return Lesion(
        LesionKind.STENOSIS, number, max(narrowest - reach, 0), narrowest, min(narrowest + reach, len(radii) - 1)
    )


def _smooth(random: np.random.Generator, count: int, scale: float) -> np.ndarray:
    noise = gaussian_filter1d(random.normal(size=count + int(6 * scale)), scale)[int(3 * scale) :][:count]
    return noise * np.sqrt(2 * np.sqrt(np.pi) * scale)


def _through(controls: np.ndarray) -> np.ndarray:
    """A smooth curve through control points, float64 (400, 3)."""
    knots = np.linspace(0, 1, len(controls))
    return PchipInterpolator(knots, controls)(np.linspace(0, 1, 400))


def _on_heart(angles: np.ndarray) -> np.ndarray:
    azimuth, polar = angles[:, 0], np.deg2rad(angles[:, 1])
    a, b, c = AXES
    depth = angles[:, 2]
    return np.stack(
        [depth * a * np.sin(polar) * np.cos(azimuth), depth * b * np.sin(polar) * np.sin(azimuth), c * np.cos(polar)],
        axis=1,
    )
