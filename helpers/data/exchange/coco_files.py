"""COCO with run-length codes, as CVAT takes and gives it: plain counts, and `iscrowd` 1, which marks a mask there."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from helpers.core.atomic import write_json_atomic
from helpers.core.errors import RefusedInput
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
from helpers.data.layouts.coco import CocoFile, coco_truth, index_coco
from helpers.data.truth.shape_labels import label_of

# Where CVAT and Datumaro look for a subset that has no name of its own.
_IMAGES, _FILE = "images/default", "annotations/instances_default.json"


def write_coco(folder: Path, cases: Iterable[SentCase], sent: SentSet) -> None:
    """`images/default/ID.png` and `annotations/instances_default.json`, which CVAT imports as COCO 1.0."""
    (folder / _IMAGES).mkdir(parents=True)
    (folder / _FILE).parent.mkdir()
    images, annotations = [], list[dict[str, Any]]()
    for number, case in enumerate(cases, 1):
        name, (width, height) = f"{case.case_id}.png", case.image.size
        plain_image(case.image).save(folder / _IMAGES / name)
        flags = {"flags": list(case.flags)} if case.flags else {}
        images.append({"id": number, "file_name": name, "width": width, "height": height, **flags})
        if case.mask is not None and case.mask.any():
            annotations.append(_annotation(case.mask, len(annotations) + 1, number))
    value = {
        "info": {"description": sent.description},
        "licenses": [],
        "categories": [{"id": 1, "name": sent.label, "supercategory": ""}],
        "images": images,
        "annotations": annotations,
    }
    write_json_atomic(folder / _FILE, value)


def read_coco_masks(files: Iterable[Path], choice: VesselChoice = AS_LABELLED) -> GivenMasks:
    """The masks of COCO files, each the union of an image's annotations of vessels.

    Args:
        choice: which categories are vessel.
    Raises:
        RefusedInput: for several categories where nothing is said of them, ids that several images share, and entries
            that belong to no image.
    """
    indexed, labels, of_run = [], dict[str, Path](), False
    for path in files:
        coco = index_coco(path, read_annotations(path))
        if coco.faults or coco.repeated:
            reason = coco.faults[0].reason if coco.faults else "several images have the same id"
            raise RefusedInput(f"{path}: expected annotations of one image each: {reason}. Export the file again")
        given = [item for items in coco.by_image.values() for item in items]
        labels = dict.fromkeys((_category(coco, item) for item in given), path) | labels
        of_run = of_run or coco.of_run
        indexed.append(coco)
    vessel = choice.vessel_of(labels)
    masks, untouched = [], 0
    for coco in indexed:
        for key, image in coco.entries:
            items = [item for item in coco.by_image.get(key, []) if _category(coco, item) in vessel]
            if not items:
                untouched += 1
                continue
            where = f"{coco.path}, image {key}"
            name = stated_name(where, image.get("file_name"))
            masks.append(GivenMask(name, partial(_read, where, items, image)))
    return GivenMasks(tuple(masks), untouched, vessel_notes(vessel), stated=True, of_run=of_run)


def _read(where: str, items: list[dict], image: dict) -> np.ndarray:
    truth = coco_truth(items, image)
    stated = image.get("width"), image.get("height")
    if truth.size is not None and stated != truth.size:
        raise RefusedInput(
            f"{where}: expected run-length codes of the image's size {stated[0]}x{stated[1]}, found "
            f"{truth.size[0]}x{truth.size[1]}. Export it again"
        )
    return mask_of(where, truth)


def _category(coco: CocoFile, item: dict) -> str:
    return label_of(coco.categories.get(str(item.get("category_id"))))


def _annotation(mask: np.ndarray, number: int, image: int) -> dict[str, Any]:
    left, top, right, bottom = box_of(mask)
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "segmentation": {"size": list(mask.shape), "counts": _plain_runs(mask)},
        "area": int(mask.sum()),
        "bbox": [left, top, right + 1 - left, bottom + 1 - top],
        "iscrowd": 1,
    }


def _plain_runs(mask: np.ndarray) -> list[int]:
    """Lengths of runs down the columns, the first outside the mask."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(length) for length in np.diff(changes, prepend=0)]
