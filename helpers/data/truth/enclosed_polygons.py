"""Polygons inside another one of the same object: some tools write a hole so, which is then filled with vessel."""

from collections import defaultdict
from collections.abc import Hashable

from helpers.data.cases import Truth
from helpers.data.truth.ground_truth import PolygonTruth, UnionTruth
from helpers.data.truth.polygons import enclosed
from helpers.data.truth.rescaled_truth import RescaledTruth
from helpers.data.truth.shape_labels import LabelledTruth, united


def enclosed_polygons(truth: Truth, width: int, height: int) -> int:
    """How many polygons of a truth lie wholly inside another one of their object. Other kinds of truth have none.

    Args:
        truth: without problems.
        width, height: of the frame in pixels; a size that the truth itself states goes first.
    """
    if isinstance(truth, RescaledTruth):
        return enclosed_polygons(truth.given, *(truth.size or (width, height)))
    if isinstance(truth, UnionTruth):
        return sum(enclosed_polygons(part, width, height) for part in truth.parts)
    if isinstance(truth, LabelledTruth):
        if not truth.in_order:
            return sum(enclosed_polygons(part, width, height) for _, part in truth.parts)
        truth = united(truth)
    if not isinstance(truth, PolygonTruth):
        return 0
    objects: dict[Hashable, list[tuple[float, ...]]] = defaultdict(list)
    for number, polygon in enumerate(truth.polygons):
        objects[truth.objects[number] if truth.objects else None].append(polygon)
    return sum(enclosed(polygons, *(truth.size or (width, height))) for polygons in objects.values())
