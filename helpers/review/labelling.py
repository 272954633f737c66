"""Predictions as labelling tools read them, to be corrected there. They are what a model said, never ground truth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers.data.rle import encode
from helpers.figures.panels import PredictedMask
from helpers.synthesis.outline import polygons

LABEL = "prediction to correct"
DESCRIPTION = "Predictions to be corrected. They are no ground truth."

# LabelMe warns of files without a version; these shapes are the same in all of its versions.
_LABELME_VERSION = "5.4.1"


@dataclass(frozen=True)
class ToCorrect:
    """A frame that a reviewer rejected or wants fixed.

    Attributes:
        name: of its picture, a file name.
        width, height: in pixels.
        mask: None where nothing was predicted.
        verdicts: what reviewers said, each once.
    """

    name: str
    width: int
    height: int
    mask: PredictedMask | None = field(repr=False)
    verdicts: Sequence[str]


def coco(frames: Iterable[ToCorrect]) -> dict[str, Any]:
    """All frames as one COCO object, their masks as run-length codes."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, frame in enumerate(frames, 1):
        size = {"width": frame.width, "height": frame.height}
        images.append({"id": number, "file_name": frame.name, **size, "verdicts": list(frame.verdicts)})
        if frame.mask is not None and frame.mask.mask.any():
            annotations.append(_annotation(frame.mask.mask, len(annotations) + 1, number))
    return {
        "info": {"description": DESCRIPTION},
        "images": images,
        "categories": [{"id": 1, "name": LABEL}],
        "annotations": annotations,
    }


def labelme(frame: ToCorrect, folder: str) -> dict[str, Any]:
    """One frame as a LabelMe object, with a polygon for each connected part of its mask.

    Args:
        folder: of the picture, as seen from that of the file, such as `../images`.
    """
    outlines = [] if frame.mask is None else polygons(frame.mask.mask)
    return {
        "version": _LABELME_VERSION,
        "flags": dict.fromkeys(frame.verdicts, True),
        "shapes": [
            {
                "label": LABEL,
                "points": np.reshape(flat, (-1, 2)).tolist(),
                "group_id": None,
                "description": DESCRIPTION,
                "shape_type": "polygon",
                "flags": {},
            }
            for flat in outlines
        ],
        "imagePath": f"{folder}/{frame.name}",
        "imageData": None,
        "imageHeight": frame.height,
        "imageWidth": frame.width,
    }


def _annotation(mask: np.ndarray, number: int, image: int) -> dict[str, Any]:
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    left, top = int(columns[0]), int(rows[0])
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "segmentation": encode(mask),
        "area": int(mask.sum()),
        "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
        "iscrowd": 0,
    }
