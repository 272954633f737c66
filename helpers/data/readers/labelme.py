"""LabelMe: one JSON for each image, with `shapes` and `imagePath`; `imageData` is not looked at."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.data.readers.annotation import (
    BadPolygons,
    image_path,
    images_beside,
    normalised,
    polygons_of,
    reading,
    record_name,
    split_of,
    stated_size,
)
from helpers.data.readers.looks import sample
from helpers.data.record import Fault, Reading, Record
from helpers.data.safe_json import read_json
from helpers.data.safe_path import UnsafePath
from helpers.data.truth import AuditedTruth, BrokenTruth, PolygonTruth
from helpers.errors import RefusedInput

_LOOKED_AT = 24  # of the images without annotation

_NO_AREA = {"point", "line", "linestrip"}


def is_labelme(value: Any) -> bool:
    """Whether a JSON value is of this kind."""
    return isinstance(value, dict) and {"shapes", "imagePath"} <= value.keys()


def read_labelme(root: Path, files: Sequence[Path], with_bare: bool = True) -> Reading:
    """One record for each annotation file; its truth is the union of its polygons, whatever their label.

    With `with_bare`, images beside the annotated ones that no file names are records without truth.

    Rectangles are read as polygons. Shapes without an area (points, lines) are passed over and counted; circles and
    masks make a `BrokenTruth`. An `imagePath` with `..` is followed where it stays in the data set.
    """
    records, faults = [], []
    passed_over = 0
    for file in files:
        try:
            value = read_json(file)
            if not is_labelme(value):
                raise RefusedInput(f"{file}: expected 'shapes' and 'imagePath' (LabelMe), found another kind of JSON")
            path = image_path(root, file, normalised(root, file.parent, value["imagePath"]))
        except UnsafePath as error:
            faults.append(Fault(file.name, f"image path: {error.reason}"))
            continue
        except RefusedInput as error:
            faults.append(Fault(file.name, str(error).replace(f"{file}: ", "")))
            continue
        truth, lines = _truth(value)
        passed_over += lines
        provenance = {"annotation": record_name(root, file), "labels": _labels(value)}
        records.append(
            Record(record_name(root, path), path, truth=truth, split=split_of(file, root), provenance=provenance)
        )
    twice = {name for name, count in Counter(record.name for record in records).items() if count > 1}
    faults += [
        Fault(str(record.provenance["annotation"]), "several annotation files name the same image")
        for record in records
        if record.name in twice
    ]
    records = [record for record in records if record.name not in twice]
    notes = [f"{passed_over} points and lines, which have no area, were passed over"] if passed_over else []
    bare = [path for path in images_beside(records) if record_name(root, path) not in twice] if with_bare else []
    if sample(bare, _LOOKED_AT).masks:
        raise RefusedInput(
            f"{root}: {len(bare)} images beside the annotated ones have no annotation file, and most look like masks. "
            "Move masks away, so that they are not taken for frames"
        )
    if bare:
        notes.append(f"{len(bare)} images have no annotation file, and so no ground truth")
        records += [Record(record_name(root, path), path, split=split_of(path, root)) for path in bare]
    return reading("labelme", records, source=root, notes=notes, faults=faults)


def _truth(value: dict) -> tuple[AuditedTruth, int]:
    """The truth, and how many shapes have no area."""
    size = stated_size(value.get("imageWidth"), value.get("imageHeight"))
    shapes = value["shapes"]
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        return BrokenTruth("expected shapes as a list of objects", size), 0
    polygons: list[tuple[float, ...]] = []
    objects: list[tuple[str, str]] = []  # a shape is one polygon: label and group join them
    lines = 0
    for number, shape in enumerate(shapes, 1):
        kind = str(shape.get("shape_type") or "polygon")
        if kind in _NO_AREA:
            lines += 1
        elif kind not in {"polygon", "rectangle"}:
            return BrokenTruth(f"shape {number} is neither a polygon nor a rectangle; draw it as a polygon", size), 0
        else:
            try:
                flat = tuple(number for point in _points(shape) for number in point)
            except BadPolygons as error:
                return BrokenTruth(f"shape {number}: {error}", size), 0
            if kind == "rectangle" and len(flat) == 4:
                left, top, right, bottom = flat
                flat = (left, top, right, top, right, bottom, left, bottom)
            polygons.append(flat)
            objects.append((str(shape.get("label")), str(shape.get("group_id"))))
    return PolygonTruth(tuple(polygons), size, tuple(objects)), lines


def _points(shape: dict) -> list[tuple[float, ...]]:
    points = shape.get("points")
    if not isinstance(points, list):
        raise BadPolygons("it has no points")
    pairs = [tuple(polygons_of(point)) for point in points]
    if not all(len(pair) == 1 and len(pair[0]) == 2 for pair in pairs):
        raise BadPolygons("a point is no pair of x and y")
    return [pair[0] for pair in pairs]


def _labels(value: dict) -> str | None:
    shapes = value["shapes"] if isinstance(value["shapes"], list) else []
    labels = {str(shape.get("label")) for shape in shapes if isinstance(shape, dict) and shape.get("label")}
    return ", ".join(sorted(labels)) or None
