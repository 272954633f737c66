"""Annotations drawn on images of another size than those at hand, where their source does not say so."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from helpers.core.errors import UsageProblem
from helpers.data.cases import Case, Truth
from helpers.data.truth.ground_truth import PolygonTruth, Size, UnionTruth
from helpers.data.truth.shape_labels import LabelledTruth
from helpers.data.truth.shapes import TOLERANCE

_SIDES = (256, 384, 512, 640, 768, 800, 960, 1000, 1024, 1200, 1280, 1440, 1536, 1600, 1920, 2048, 3072, 4096)
_LEAST_FILLED = 0.7  # share of a side that coordinates reach, below which a size explains them badly
_MOST_PIXELS = 100_000


@dataclass(frozen=True)
class OtherFrame:
    """What the coordinates of one annotation file fit.

    Attributes:
        case_ids: the cases whose coordinates leave their frame.
        frame: width and height of all frames of the file, in pixels.
        reach: largest x and y.
        fits: the smallest usual size of the frame's shape that holds them.
    """

    case_ids: tuple[str, ...]
    frame: Size
    reach: tuple[float, float]
    fits: Size


def parse_size(text: str) -> Size:
    """`800x600` as width and height in pixels. Raises UsageProblem for anything else."""
    width, cross, height = text.strip().lower().partition("x")
    if not cross or not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise UsageProblem(f"rescale-from: expected WIDTHxHEIGHT in pixels, such as 800x800, got {text!r}")
    size = int(width), int(height)
    if not all(1 <= side <= _MOST_PIXELS for side in size):
        raise UsageProblem(f"rescale-from: expected sides of 1 to {_MOST_PIXELS:,} pixels, got {text!r}")
    return size


def suggestions(cases: Iterable[Case], sizes: Mapping[str, Size]) -> Iterator[OtherFrame]:
    """For each annotation file whose coordinates leave its frames, a usual image size that they fit.

    None for a file whose frames differ in size, or whose coordinates fit no usual size.

    Args:
        sizes: case id -> width and height of its frame.
    """
    by_file: dict[str, list[tuple[Case, tuple[float, float]]]] = defaultdict(list)
    for case in cases:
        reach = _reach(case.truth)
        if reach is not None and case.frame.case_id in sizes:
            by_file[str(case.provenance.get("annotation"))].append((case, reach))
    for members in by_file.values():
        frames = {sizes[case.frame.case_id] for case, _ in members}
        if len(frames) != 1:
            continue
        frame = frames.pop()
        leaving = tuple(case.case_id for case, reach in members if not _holds(frame, reach))
        reach = tuple(max(values) for values in zip(*(reach for _, reach in members), strict=True))
        fits = _fitting(frame, reach)
        if leaving and fits is not None:
            yield OtherFrame(leaving, frame, reach, fits)


def _fitting(frame: Size, reach: tuple[float, float]) -> Size | None:
    """The smallest usual size of the same shape that holds a point."""
    widths = (side for side in _SIDES if side > frame[0])
    candidates = ((width, round(width * frame[1] / frame[0])) for width in widths)
    size = next((size for size in candidates if _holds(size, reach)), None)
    filled = size is not None and max(far / side for far, side in zip(reach, size, strict=True)) >= _LEAST_FILLED
    return size if filled else None


def _holds(size: Size, reach: tuple[float, float]) -> bool:
    return all(far <= side + TOLERANCE for far, side in zip(reach, size, strict=True))


def _reach(truth: Truth | None) -> tuple[float, float] | None:
    """Largest x and y of the polygons of a truth that states no size; None for any other, and for odd coordinates."""
    if isinstance(truth, LabelledTruth | UnionTruth) and truth.size is None:
        parts = truth.parts if isinstance(truth, UnionTruth) else tuple(part for _, part in truth.parts)
        reaches = [reach for reach in map(_reach, parts) if reach is not None]
        return (max(x for x, _ in reaches), max(y for _, y in reaches)) if reaches else None
    if not isinstance(truth, PolygonTruth) or truth.size is not None:
        return None
    points = [np.reshape(polygon, (-1, 2)) for polygon in truth.polygons if polygon and len(polygon) % 2 == 0]
    if not points:
        return None
    x, y = np.concatenate(points).max(axis=0)
    return (float(x), float(y)) if np.isfinite((x, y)).all() else None
