"""What the coordinates of outlines say of how they were made: in fractions, for smaller images, traced along pixels."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from helpers.core.shown_text import counted
from helpers.data.audit.findings import AuditFinding, AuditSeverity
from helpers.data.cases import Case, Truth
from helpers.data.truth.ground_truth import PolygonTruth, Size, UnionTruth
from helpers.data.truth.shape_labels import LabelledTruth

# Images whose coordinates all end so far from the right and the lower border that another size explains them better.
_FEWEST, _NEAR = 5, 0.6
_SMALLEST_FRAME = 16  # pixels of its shorter side, from which on coordinates of at most 1 must be fractions
# A polygon of fewer points may run along pixels by chance; and of how many of the others it is told.
_POINTS, _MOST = 12, 0.9
_DIAGONAL = 0.1  # of the edges: fewer are outlines along the borders of pixels, which lose nothing

Outlines = list[tuple[Size, list[np.ndarray]]]


def outline_findings(cases: Iterable[Case], sizes: Mapping[str, Size]) -> Iterator[AuditFinding]:
    """One finding for each annotation file and kind; files of one image each are looked at together.

    Args:
        sizes: case id -> width and height of its frame in pixels.
    """
    drawn = [(case, polygons) for case in cases if case.case_id in sizes and (polygons := _polygons(case.truth))]
    files = Counter(str(case.provenance.get("annotation")) for case, _ in drawn)
    by_file: dict[str | None, Outlines] = defaultdict(list)
    for case, polygons in drawn:
        file = str(case.provenance.get("annotation"))
        by_file[file if files[file] > 1 else None].append((sizes[case.case_id], polygons))
    for outlines in by_file.values():
        yield from _unit_findings(outlines)
        yield from _traced_findings(outlines)


def _unit_findings(outlines: Outlines) -> Iterator[AuditFinding]:
    """Coordinates in another unit than pixels of these frames."""
    reach = np.array([np.concatenate(polygons).max(axis=0) for _, polygons in outlines])
    frames = np.array([size for size, _ in outlines])
    images = counted(len(outlines), "image")
    if reach.max() <= 1 and frames.min() >= _SMALLEST_FRAME:
        said = (
            f"the outlines of {images} have coordinates from 0 to 1: fractions of the frame, where pixels are expected"
        )
        advice = "multiply x by the width and y by the height of the image, and write the file again"
        yield AuditFinding(AuditSeverity.ERROR, "coordinate_unit", None, said, advice)
    elif len(outlines) >= _FEWEST and (reach <= _NEAR * frames).all():
        (x, y), (width, height) = reach.max(axis=0), frames.min(axis=0)
        said = (
            f"the outlines of all {images} end at x={x:.0f} and y={y:.0f}, on frames of {width}x{height} and more: "
            "they may be in per cent, or drawn on smaller images"
        )
        advice = (
            "look at some panels; where the file states no size of its images, --rescale-from 100x100, or the size "
            "that they were drawn on, fits them"
        )
        yield AuditFinding(AuditSeverity.WARNING, "coordinate_unit", None, said, advice)


def _traced_findings(outlines: Outlines) -> Iterator[AuditFinding]:
    """Outlines from pixel to pixel, as a contour finder leaves them: those that it passes count as inside there."""
    telling = [polygon for _, polygons in outlines for polygon in polygons if len(polygon) >= _POINTS]
    traced = sum(map(_is_traced, telling))
    if traced and traced >= _MOST * len(telling):
        said = (
            f"{traced} of {counted(len(telling), 'outline')} run from pixel to pixel, as OpenCV's findContours leaves "
            "them: drawn again, each vessel comes out one pixel narrower, and thin ones are lost"
        )
        advice = "export masks as mask files or as run-length codes"
        yield AuditFinding(AuditSeverity.WARNING, "traced_outline", None, said, advice)


def _is_traced(polygon: np.ndarray) -> bool:
    """Whether the points, (N, 2), are whole pixels that lie beside, below or diagonally from each other."""
    if (polygon != np.rint(polygon)).any():
        return False
    across, down = np.abs(np.diff(polygon, axis=0, append=polygon[:1])).T
    diagonal = (across == down) & (across > 0)
    return bool((diagonal | (across == 0) | (down == 0)).all() and diagonal.mean() >= _DIAGONAL)


def _polygons(truth: Truth | None) -> list[np.ndarray]:
    """The polygons of a truth, each (N, 2) of x and y, those alone that could be drawn; none of a rescaled one."""
    if isinstance(truth, UnionTruth | LabelledTruth):
        parts = truth.parts if isinstance(truth, UnionTruth) else [part for _, part in truth.parts]
        return [polygon for part in parts for polygon in _polygons(part)]
    if not isinstance(truth, PolygonTruth):
        return []
    arrays = [np.reshape(polygon, (-1, 2)) for polygon in truth.polygons if len(polygon) >= 6 and len(polygon) % 2 == 0]
    return [array for array in arrays if np.isfinite(array).all()]
