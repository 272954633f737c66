"""LabelMe: one JSON for each image, with shapes of pixels or polygons."""

import base64
import io
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.core.atomic import write_json_atomic
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.cases import Truth
from helpers.data.exchange.exchanged import (
    AS_LABELLED,
    GivenMask,
    GivenMasks,
    SentCase,
    SentSet,
    VesselChoice,
    box_of,
    plain_image,
    read_annotations,
    stated_name,
    vessel_notes,
)
from helpers.data.exchange.truth_masks import mask_of
from helpers.data.layouts.labelme import is_labelme, labelme_truth
from helpers.data.truth.shape_labels import BACKGROUND, IGNORE, LabelChoice, label_of
from helpers.data.truth.shapes import polygons

LABELME_VERSION = "5.4.1"  # LabelMe warns of files without one; these shapes are the same in all of its versions
_IMAGES, _FILES = "images", "labelme"


def write_labelme(folder: Path, cases: Iterable[SentCase], sent: SentSet, *, as_polygons: bool = False) -> None:
    """`images/ID.png` and `labelme/ID.json` of every case, for `labelme images --output labelme`.

    Args:
        as_polygons: shapes are polygons, which `helpers.data.truth.shapes` draws back to the same mask; LabelMe's
            own drawing adds the pixels that an outline touches.
    """
    for name in (_IMAGES, _FILES):
        (folder / name).mkdir()
    for case in cases:
        plain_image(case.image).save(folder / _IMAGES / f"{case.case_id}.png")
        value = labelme_value(case, sent, f"../{_IMAGES}", as_polygons=as_polygons)
        write_json_atomic(folder / _FILES / f"{case.case_id}.json", value)


def labelme_value(case: SentCase, sent: SentSet, images: str, *, as_polygons: bool) -> dict[str, Any]:
    """One case as a LabelMe object.

    Args:
        images: folder of the picture, as seen from that of the file.
    """
    shapes: list[dict[str, Any]] = []
    if case.mask is not None and case.mask.any():
        shapes = _polygons(case.mask) if as_polygons else [_pixels(case.mask)]
    common: dict[str, Any] = {"label": sent.label, "group_id": None, "description": sent.description, "flags": {}}
    width, height = case.image.size
    return {
        "version": LABELME_VERSION,
        "flags": dict.fromkeys(case.flags, True),
        "shapes": [{**common, **shape} for shape in shapes],
        "imagePath": f"{images}/{case.case_id}.png",
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def read_labelme_masks(files: Iterable[Path], choice: VesselChoice = AS_LABELLED) -> GivenMasks:
    """The masks of LabelMe files, each the union of its shapes of vessels, less what later shapes of others cover.

    Args:
        choice: which labels are vessel.
    Raises:
        RefusedInput: for several labels where nothing is said of them, a size that is not stated, and shapes without
            an area.
    """
    drawn, untouched, labels = [], 0, dict[str, Path]()
    for path in files:
        value = read_annotations(path)
        if not is_labelme(value):
            raise RefusedInput(f"{path}: expected 'shapes' and 'imagePath' (LabelMe), found another kind of JSON")
        shapes = value["shapes"]
        if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
            raise RefusedInput(f"{path}: expected 'shapes' as a list of objects, found other JSON. Save the file again")
        own = dict.fromkeys((label_of(shape.get("label")) for shape in shapes), path)
        labels = own | labels
        reserved = sorted(own.keys() & {BACKGROUND, IGNORE})
        if reserved:
            raise RefusedInput(f"{path}: expected vessels, found shapes of LabelMe's own label {reserved[0]}")
        truth, labelled, lines = labelme_truth(value)
        if lines:
            raise RefusedInput(
                f"{path}: expected areas, found {counted(lines, 'shape')} of points or lines. Draw polygons or masks"
            )
        drawn.append((path, stated_name(str(path), value["imagePath"]), truth, labelled, own.keys()))
    vessel, masks = choice.vessel_of(labels), []
    for path, name, truth, labelled, own_labels in drawn:
        if not own_labels & vessel:
            untouched += 1
            continue
        if labelled is not None and own_labels - vessel:
            truth = replace(labelled, choice=LabelChoice(vessel))
        masks.append(GivenMask(name, partial(_read, path, truth)))
    return GivenMasks(tuple(masks), untouched, vessel_notes(vessel), stated=True)


def _read(path: Path, truth: Truth) -> np.ndarray:
    return mask_of(str(path), truth)


def _polygons(mask: np.ndarray) -> list[dict[str, Any]]:
    return [
        {"points": np.reshape(flat, (-1, 2)).tolist(), "shape_type": "polygon", "mask": None} for flat in polygons(mask)
    ]


def _pixels(mask: np.ndarray) -> dict[str, Any]:
    """A shape of pixels: two corners, both within, and a PNG of what lies between them."""
    left, top, right, bottom = box_of(mask)
    buffer = io.BytesIO()
    Image.fromarray(mask[top : bottom + 1, left : right + 1].astype(np.uint8) * 255).save(buffer, "PNG")
    return {
        "points": [[left, top], [right, bottom]],
        "shape_type": "mask",
        "mask": base64.b64encode(buffer.getvalue()).decode("ascii"),
    }
