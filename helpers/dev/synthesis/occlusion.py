"""Occlusions: a vessel that is closed, or all but closed, and what contrast then reaches."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from helpers.dev.synthesis.coronary_tree import Vessel
from helpers.dev.synthesis.lesion import Lesion, LesionKind

# A stump must be left to see, mm along the vessels from the ostium.
FIRST_MM = 12.0
# A narrower vessel (mm) is not closed: nobody would see what is missing.
DIAMETER_FROM_MM = 1.1
# Lengths along the vessel, mm.
TOTAL_MM, SUBTOTAL_MM = (4.0, 16.0), (2.0, 8.0)
# Lumen of the thread that a subtotal occlusion leaves, mm.
THREAD_MM = (0.28, 0.5)
# Share of total occlusions behind which collaterals fill the vessel: later, fainter and thinner.
COLLATERALS = 0.5
LATE_S, FAINT, THIN = (0.5, 1.5), (0.4, 0.8), (0.6, 0.85)


def occlude(
    vessels: Sequence[Vessel], kind: LesionKind, random: np.random.Generator
) -> tuple[tuple[Vessel, ...], tuple[Lesion, ...]]:
    """A tree with one vessel closed, and the lesion; the tree as it is and none where no vessel is wide enough.

    Args:
        kind: TOTAL, behind which nothing or collaterals fill the vessel; or SUBTOTAL, which leaves a thread.
    """
    places = [
        (number, point)
        for number, vessel in enumerate(vessels)
        for point in np.arange(len(vessel.points) // 8, 3 * len(vessel.points) // 4)
        if vessel.travelled[point] >= FIRST_MM and 2 * vessel.radii[point] >= DIAMETER_FROM_MM
    ]
    if not places:
        return tuple(vessels), ()
    number, first = places[random.integers(len(places))]
    length = random.uniform(*(TOTAL_MM if kind is LesionKind.TOTAL else SUBTOTAL_MM))
    way = vessels[number].travelled
    last = min(int(np.searchsorted(way, way[first] + length)), len(way) - 2)
    lesion = Lesion(kind, number, int(first), int(first + last) // 2, last)
    made = list(vessels)
    if kind is LesionKind.SUBTOTAL:
        made[number] = _threaded(vessels[number], lesion, random.uniform(*THREAD_MM) / 2)
        return tuple(made), (lesion,)
    collaterals = bool(random.random() < COLLATERALS)
    late, faint, thin = random.uniform(*LATE_S), random.uniform(*FAINT), random.uniform(*THIN)
    for at, cut in _beyond(vessels, lesion).items():
        vessel = made[at]
        share, delay, radii = np.ones(len(vessel.points)), np.zeros(len(vessel.points)), vessel.radii.copy()
        share[cut:] = faint if collaterals else 0.0
        delay[cut:], radii[cut:] = late, radii[cut:] * thin
        if at == number:
            share[lesion.first : lesion.last + 1] = 0.0
        elif cut == 0 and vessel.parent == number and vessel.start <= lesion.last:
            share[:] = 0.0  # it leaves within the gap
        made[at] = replace(vessel, radii=radii, share=share, late_s=delay)
    return tuple(made), (lesion,)


def _threaded(vessel: Vessel, lesion: Lesion, radius: float) -> Vessel:
    """A vessel with a thread of a lumen through its lesion, with short shoulders."""
    points = np.arange(len(vessel.points))
    away = np.maximum(np.maximum(lesion.first - points, points - lesion.last), 0)
    share = np.exp(-((away / 3) ** 2))
    return replace(vessel, radii=np.minimum(vessel.radii, radius * share + vessel.radii * (1 - share)))


def _beyond(vessels: Sequence[Vessel], lesion: Lesion) -> dict[int, int]:
    """Vessels that a total occlusion cuts off: their number, and the first of their points behind it."""
    found = {lesion.vessel: lesion.first}
    for number, vessel in enumerate(vessels):  # a branch follows its parent
        if vessel.parent in found and vessel.start >= found[vessel.parent]:
            found[number] = 0
    return found
