"""Narrowings and occlusions: where they lie along a drawn vessel, and where a frame shows them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np


class LesionKind(StrEnum):
    """What a lesion does to its vessel."""

    STENOSIS = "stenosis"
    SUBTOTAL = "subtotal"
    TOTAL = "total"


@dataclass(frozen=True)
class Lesion:
    """A lesion of a tree, by numbers of the vessel and of its points.

    Attributes:
        vessel: its number in the tree.
        first, last: points that it reaches to; of a total occlusion all between them carry no contrast.
        narrowest: the point with the least lumen; of a total occlusion the middle of the gap.
    """

    kind: LesionKind
    vessel: int
    first: int
    narrowest: int
    last: int


@dataclass(frozen=True)
class ShownLesion:
    """A lesion in one frame. Pixels are (x, y); a pixel's centre is at half a pixel.

    Attributes:
        place: of the narrowest point, or of the gap's middle.
        across: unit vector across the vessel there.
        calibre_px: diameter of the lumen there; 0 for a gap.
        reference_px: diameter of the vessel where the lesion begins or ends, the larger.
        course: float64 (N, 2), the centreline from the lesion's first point to its last.
        filled: whether the vessel counts as truth where the lesion begins, inside the collimator.
        filled_beyond: the same where the lesion ends.
    """

    kind: LesionKind
    place: tuple[float, float]
    across: tuple[float, float]
    calibre_px: float
    reference_px: float
    course: np.ndarray
    filled: bool
    filled_beyond: bool

    def row(self) -> dict[str, Any]:
        """As `synthesis.json` holds it, places to a tenth of a pixel."""
        return {
            "kind": self.kind.value,
            "place": [round(value, 1) for value in self.place],
            "across": [round(value, 3) for value in self.across],
            "calibre_px": round(self.calibre_px, 2),
            "reference_px": round(self.reference_px, 2),
            "course": np.round(self.course, 1).tolist(),
            "filled": self.filled,
            "filled_beyond": self.filled_beyond,
        }


def shown(
    lesion: Lesion, points: np.ndarray, radii: np.ndarray, visible: np.ndarray, inside: np.ndarray
) -> ShownLesion:
    """A lesion as one frame shows it.

    Args:
        points: float (N, 2), the vessel's centreline in the frame, pixels (x, y).
        radii: float (N,), its lumen, pixels.
        visible: bool (N,), which points count as truth.
        inside: bool (H, W), what the collimator leaves open.
    """
    at, first, last = lesion.narrowest, max(lesion.first - 1, 0), min(lesion.last + 1, len(points) - 1)
    way = points[min(at + 2, len(points) - 1)] - points[max(at - 2, 0)]
    across = np.array([-way[1], way[0]]) / max(float(np.linalg.norm(way)), 1e-9)
    ends = [bool(visible[end]) and _is_open(points[end], inside) for end in (first, last)]
    course = points[first : last + 1]
    # Every fourth point is near enough: points are half a millimetre apart.
    kept = np.unique(np.r_[np.arange(0, len(course), 4), len(course) - 1])
    return ShownLesion(
        lesion.kind,
        (float(points[at][0]), float(points[at][1])),
        (float(across[0]), float(across[1])),
        0.0 if lesion.kind is LesionKind.TOTAL else 2 * float(radii[at]),
        2 * float(max(radii[first], radii[last])),
        course[kept],
        *ends,
    )


def _is_open(point: np.ndarray, inside: np.ndarray) -> bool:
    column, row = np.floor(point).astype(int)
    height, width = inside.shape
    return bool(0 <= row < height and 0 <= column < width and inside[row, column])
