"""LabelMe: one JSON for each image, with `shapes` and `imagePath`; `imageData` is not looked at."""

import base64
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.core.shown_text import counted
from helpers.data.cases import Fault, Reading, Record, Truth
from helpers.data.frames.image_reading import DECODE_ERRORS, MAX_PIXELS
from helpers.data.layouts.annotation import (
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
from helpers.data.layouts.file_walk import UnsafePath
from helpers.data.layouts.mask_looks import sample
from helpers.data.truth.ground_truth import BrokenTruth, PolygonTruth, RleTruth, Size, UnionTruth
from helpers.data.truth.shape_labels import BACKGROUND, IGNORE, LabelledTruth, label_of, united
from helpers.data.truth.shapes import encode
from helpers.model.image_mode import require_opaque

_LOOKED_AT = 24  # of the images without annotation

_NO_AREA = {"point", "points", "line", "linestrip"}
_AREAS = {"polygon", "rectangle", "oriented_rectangle", "mask"}


def is_labelme(value: Any) -> bool:
    """Whether a JSON value is of this kind."""
    return isinstance(value, dict) and {"shapes", "imagePath"} <= value.keys()


def read_labelme(root: Path, files: Sequence[Path], with_bare: bool = True) -> Reading:
    """One record for each annotation file; its truth is the union of its polygons, whatever their label.

    With `with_bare`, images beside the annotated ones that no file names are records without truth.

    Rectangles are read as polygons, masks as their pixels. Shapes without an area (points, lines) are skipped and
    counted, and are a broken truth where a file has no other; so are circles. Of LabelMe's reserved labels
    `_background_` cuts the shapes before it, and `__ignore__` marks pixels that are not scored. An `imagePath` with
    `..` is followed where it stays in the data set.
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
        truth, labelled, lines = labelme_truth(value)
        passed_over += lines
        provenance = {"annotation": record_name(root, file), "labels": _labels(value)}
        records.append(
            Record(
                record_name(root, path),
                path,
                truth=truth,
                split=split_of(file, root),
                provenance=provenance,
                labelled=labelled,
            )
        )
    twice = {name for name, count in Counter(record.name for record in records).items() if count > 1}
    faults += [
        Fault(str(record.provenance["annotation"]), "several annotation files name the same image")
        for record in records
        if record.name in twice
    ]
    records = [record for record in records if record.name not in twice]
    notes = [f"skipped, since points and lines have no area: {counted(passed_over, 'shape')}"] if passed_over else []
    bare = [path for path in images_beside(records) if record_name(root, path) not in twice] if with_bare else []
    if sample(bare, _LOOKED_AT).masks:
        raise RefusedInput(
            f"{root}: {counted(len(bare), 'image')} beside the annotated ones without an annotation file, most of "
            "which look like masks. Move masks away, so they are not read as frames"
        )
    if bare:
        notes.append(f"{counted(len(bare), 'image')} without an annotation file, and so without ground truth")
        records += [Record(record_name(root, path), path, split=split_of(path, root)) for path in bare]
    return reading("labelme", records, source=root, notes=notes, faults=faults)


def labelme_truth(value: dict) -> tuple[Truth, LabelledTruth | None, int]:
    """The truth whatever the labels are, the same under its labels, and how many shapes have no area."""
    size = stated_size(value.get("imageWidth"), value.get("imageHeight"))
    shapes = value["shapes"]
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        return BrokenTruth("expected shapes as a list of objects", size), None, 0
    parts: list[tuple[str, Truth]] = []
    lines: list[str] = []
    for number, shape in enumerate(shapes, 1):
        label = label_of(shape.get("label"))
        if _kind(shape) in _NO_AREA:
            lines.append(label)
        else:
            parts.append((label, _shape_truth(shape, number, size)))
    labelled = LabelledTruth(tuple(parts), True, size, tuple(lines))
    if {IGNORE, BACKGROUND} & labelled.counts().keys() or (lines and not parts):
        return labelled, labelled, len(lines)
    return _whatever_label(labelled), labelled, len(lines)


def _whatever_label(labelled: LabelledTruth) -> Truth:
    """All shapes as one truth; the first that is broken where one is."""
    parts = [part for _, part in labelled.parts]
    broken = next((part for part in parts if isinstance(part, BrokenTruth)), None)
    polygons, drawn = united(labelled), [part for part in parts if not isinstance(part, PolygonTruth)]
    if broken is not None or not drawn:
        return broken or polygons
    return UnionTruth((polygons, *drawn))


def _shape_truth(shape: dict, number: int, size: Size | None) -> Truth:
    """One shape with an area; a `BrokenTruth` where it cannot be read."""
    kind = _kind(shape)
    if kind not in _AREAS:
        return BrokenTruth(f"shape {number} is neither a polygon nor a rectangle; draw it as a polygon", size)
    try:
        points = _points(shape)
        if kind == "mask":
            return _mask_truth(shape, points, size)
    except BadPolygons as error:
        return BrokenTruth(f"shape {number}: {error}", size)
    if kind == "oriented_rectangle" and len(points) != 4:
        return BrokenTruth(f"shape {number}: expected an oriented rectangle of 4 points, found {len(points)}", size)
    flat = tuple(number for point in points for number in point)
    if kind == "rectangle" and len(flat) == 4:
        left, top, right, bottom = flat
        flat = (left, top, right, top, right, bottom, left, bottom)
    # A shape is one polygon: label and group join them to one object.
    return PolygonTruth((flat,), size, ((str(shape.get("label")), str(shape.get("group_id"))),))


def _require_opaque(image: Image.Image) -> None:
    try:
        require_opaque(image)
    except ValueError as error:
        raise BadPolygons(f"its mask: {error}") from error


def _mask_truth(shape: dict, points: list[tuple[float, ...]], size: Size | None) -> Truth:
    """A shape of pixels: a PNG, as text, of what lies between two corner pixels, both within."""
    if size is None:
        raise BadPolygons("it is a mask, and the file states no size of its image")
    if len(points) != 2 or not all(map(math.isfinite, (*points[0], *points[1]))):
        raise BadPolygons("expected two corners of its mask")
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in points)
    if not (0 <= left <= right < size[0] and 0 <= top <= bottom < size[1] and size[0] * size[1] <= MAX_PIXELS):
        raise BadPolygons(f"its mask does not lie in an image of {size[0]}x{size[1]} pixels")
    try:
        raw = base64.b64decode(shape.get("mask") or "", validate=True)
        with Image.open(io.BytesIO(raw), formats=("PNG",)) as image:
            expected = right - left + 1, bottom - top + 1
            if image.size != expected:
                raise BadPolygons(
                    f"expected its mask to fill {expected[0]}x{expected[1]} pixels between its corners, found "
                    f"{image.width}x{image.height}"
                )
            image.load()
            _require_opaque(image)
            inside = np.asarray(image.convert("L")) > 0
    except (*DECODE_ERRORS, TypeError, ValueError) as error:
        raise error if isinstance(error, BadPolygons) else BadPolygons("its mask is no PNG in base64") from error
    whole = np.zeros(size[::-1], bool)
    whole[top : bottom + 1, left : right + 1] = inside
    return RleTruth((encode(whole),))


def _kind(shape: dict) -> str:
    return str(shape.get("shape_type") or "polygon")


def _points(shape: dict) -> list[tuple[float, ...]]:
    points = shape.get("points")
    if not isinstance(points, list):
        raise BadPolygons("it has no points")
    pairs = [tuple(polygons_of(point)) for point in points]
    if not all(len(pair) == 1 and len(pair[0]) == 2 for pair in pairs):
        raise BadPolygons("a point is not a pair of x and y")
    return [pair[0] for pair in pairs]


def _labels(value: dict) -> str | None:
    shapes = value["shapes"] if isinstance(value["shapes"], list) else []
    labels = {str(shape.get("label")) for shape in shapes if isinstance(shape, dict) and shape.get("label")}
    return ", ".join(sorted(labels)) or None
