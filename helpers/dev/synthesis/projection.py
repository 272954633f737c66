"""From the beating, breathing heart to the detector: view angles, motion, and lumens as chords through tubes."""

from dataclasses import dataclass

import numpy as np

# Sub-pixels along each side of a pixel; coverage and partial volume come from them.
OVERSAMPLING = 3


@dataclass(frozen=True)
class View:
    """A projection: heart's frame to the image plane (x to the right, y down), both in mm before `pixel_mm`.

    Attributes:
        rotation: float64 (3, 3).
        centre: of the heart in the image, pixels (x, y).
        pixel_mm: mm for each pixel at the heart.
    """

    rotation: np.ndarray
    centre: tuple[float, float]
    pixel_mm: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) in mm to pixels (N, 2)."""
        return (points @ self.rotation.T)[:, :2] / self.pixel_mm + self.centre


def rotation_of(lao: float, cranial: float) -> np.ndarray:
    """Rotation for C-arm angles in degrees, to the left and towards the head; the heart lies obliquely."""
    apex = np.array([0.62, 0.52, -0.58])
    apex /= np.linalg.norm(apex)
    anterior = np.array([0.1, -0.45, -1.0])
    anterior -= anterior @ apex * apex
    anterior /= np.linalg.norm(anterior)
    lateral = np.cross(anterior, apex)
    lateral *= np.sign(lateral[0]) or 1.0
    heart = np.stack([anterior, lateral, apex], axis=1)
    a, b = np.deg2rad((lao, cranial))
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return tilt @ turn @ heart


def beat(points: np.ndarray, phase: float) -> np.ndarray:
    """Points of the heart (N, 3) at a phase of its cycle (0 to 1, systole at 0.35): smaller, twisted and shortened."""
    squeeze = np.exp(-(((phase % 1.0) - 0.35) ** 2) / 0.03)
    twist = 0.10 * squeeze * points[:, 2] / 60
    x = points[:, 0] * np.cos(twist) - points[:, 1] * np.sin(twist)
    y = points[:, 0] * np.sin(twist) + points[:, 1] * np.cos(twist)
    return np.stack(
        [x * (1 - 0.10 * squeeze), y * (1 - 0.10 * squeeze), points[:, 2] - 0.07 * squeeze * (points[:, 2] + 30)],
        axis=1,
    )


def add_chords(
    total: np.ndarray,
    points: np.ndarray,
    radii: np.ndarray,
    weights: np.ndarray,
    truth: np.ndarray | None = None,
    visible: np.ndarray | None = None,
) -> None:
    """Add the path of rays through one tube to a sub-pixel grid, and its visible part to the truth.

    Args:
        points: float (N, 2) with N of 2 or more, centreline in pixels (x, y); a pixel's centre is at half a pixel.
        radii: float (N,), pixels.
        weights: float (N,), contrast, multiplied onto the chord.
        total: float32 (H * OVERSAMPLING, W * OVERSAMPLING), sums of weighted chords in pixels; changed in place.
        truth: bool of the same shape, changed in place where `visible`, bool (N,), holds.
    """
    s = OVERSAMPLING
    keep = _thinned(points)
    points, radii, weights = points[keep] * s - 0.5, radii[keep] * s, weights[keep]
    height, width = total.shape
    low = np.floor((points - radii[:, None]).min(axis=0)).astype(int) - 1
    high = np.ceil((points + radii[:, None]).max(axis=0)).astype(int) + 2
    x0, y0, x1, y1 = max(low[0], 0), max(low[1], 0), min(high[0], width), min(high[1], height)
    if x0 >= x1 or y0 >= y1:
        return
    longest = np.zeros((y1 - y0, x1 - x0), dtype=np.float32)
    for i in range(len(points) - 1):
        (ax, ay), (bx, by) = points[i], points[i + 1]
        ra, rb = radii[i], radii[i + 1]
        reach = max(ra, rb)
        left, right = max(int(min(ax, bx) - reach), x0), min(int(max(ax, bx) + reach) + 2, x1)
        top, bottom = max(int(min(ay, by) - reach), y0), min(int(max(ay, by) + reach) + 2, y1)
        if left >= right or top >= bottom:
            continue
        x = np.arange(left, right, dtype=np.float32) - ax
        y = (np.arange(top, bottom, dtype=np.float32) - ay)[:, None]
        dx, dy = bx - ax, by - ay
        along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        inside = (ra + (rb - ra) * along) ** 2 - (x - along * dx) ** 2 - (y - along * dy) ** 2
        chord = weights[i] * 2 / s * np.sqrt(np.maximum(inside, 0))
        part = longest[top - y0 : bottom - y0, left - x0 : right - x0]
        np.maximum(part, chord, out=part)
        if truth is not None and visible is not None and visible[keep[i]]:
            truth[top:bottom, left:right] |= inside > 0
    total[y0:y1, x0:x1] += longest


def pooled(fine: np.ndarray) -> np.ndarray:
    """Means over the sub-pixels: (H * s, W * s) to (H, W), float32."""
    s = OVERSAMPLING
    return fine.reshape(fine.shape[0] // s, s, fine.shape[1] // s, s).mean(axis=(1, 3), dtype=np.float32)


def _thinned(points: np.ndarray) -> np.ndarray:
    """Indices of points about 2 pixels apart, first and last among them."""
    way = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    wanted = np.arange(0, way[-1], 2.0)
    return np.unique(np.r_[np.searchsorted(way, wanted), len(points) - 1].astype(int))
