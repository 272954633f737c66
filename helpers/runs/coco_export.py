"""A run in COCO's form, for tools that read that."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_masks

from helpers.runs.result_rows import PredictionRow


def coco(rows: Sequence[PredictionRow], prompts: Mapping[str, str]) -> dict[str, Any]:
    """Images by case id, a category for each prompt, an annotation for each `[SEG]` that has a map.

    Args:
        rows: in the order of the table. Cases that could not be read have no size and are left out.
        prompts: prompt id -> the user's words, in order.
    """
    sizes = {row.case_id: (row.width, row.height) for row in rows if row.width is not None}
    image_ids = {case_id: number for number, case_id in enumerate(sizes, start=1)}
    category_ids = {prompt_id: number for number, prompt_id in enumerate(prompts, start=1)}
    drawn = [row for row in rows if row.rle is not None]
    return {
        "images": [
            {"id": image_ids[case_id], "file_name": f"{case_id}.png", "width": width, "height": height}
            for case_id, (width, height) in sizes.items()
        ],
        "categories": [
            {"id": number, "name": prompts[prompt_id], "prompt_id": prompt_id}
            for prompt_id, number in category_ids.items()
        ],
        "annotations": [
            _annotation(row, number, image_ids[row.case_id], category_ids[row.prompt_id])
            for number, row in enumerate(drawn, start=1)
        ],
    }


def drawn_code(row: PredictionRow) -> np.ndarray:
    """The mask of a row's own code, bool (H, W), which the kit wrote. The row must have one."""
    return np.asarray(coco_masks.decode(_code(row)), bool)


def _code(row: PredictionRow) -> dict[str, Any]:
    return {"size": [row.height, row.width], "counts": row.rle}


def _annotation(row: PredictionRow, number: int, image_id: int, category_id: int) -> dict[str, Any]:
    code = _code(row)
    annotation = {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "case_id": row.case_id,
        "seg_index": row.seg_index,
        "segmentation": code,
        "area": int(coco_masks.area(code)),
        "bbox": [float(value) for value in coco_masks.toBbox(code)],
        "iscrowd": 0,
    }
    return annotation if row.predicted_iou is None else {**annotation, "score": row.predicted_iou}
