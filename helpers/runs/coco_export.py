"""A run in COCO's form, for tools that read that."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_masks

from helpers.runs.asked_prompts import AskedPrompts
from helpers.runs.result_rows import PredictionRow


def coco(rows: Sequence[PredictionRow], prompts: AskedPrompts) -> dict[str, Any]:
    """Images by case id, a category for each prompt, an annotation for each `[SEG]` that has a map.

    Where cases have prompts of their own, a category stands for equal words, whatever their prompt ids, and the
    annotation has the prompt id.

    Args:
        rows: in the order of the table. Cases that could not be read have no size and are left out.
    """
    sizes = {row.case_id: (row.width, row.height) for row in rows if row.width is not None}
    image_ids = {case_id: number for number, case_id in enumerate(sizes, start=1)}
    each = {case_id: prompts.of(case_id) for case_id in dict.fromkeys(row.case_id for row in rows)}
    own = [] if prompts.own is None else [words for asked in each.values() for words in asked.values()]
    category_ids = {words: number for number, words in enumerate(dict.fromkeys([*prompts.shared.values(), *own]), 1)}
    drawn = [row for row in rows if row.rle is not None]
    return {
        "images": [
            {"id": image_ids[case_id], "file_name": f"{case_id}.png", "width": width, "height": height}
            for case_id, (width, height) in sizes.items()
        ],
        "categories": _categories(category_ids, prompts),
        "annotations": [
            _annotation(row, number, image_ids[row.case_id], category_ids[each[row.case_id][row.prompt_id]])
            | ({} if prompts.own is None else {"prompt_id": row.prompt_id})
            for number, row in enumerate(drawn, start=1)
        ],
    }


def drawn_code(row: PredictionRow) -> np.ndarray:
    """The mask of a row's own code, bool (H, W), which the kit wrote. The row must have one."""
    return np.asarray(coco_masks.decode(_code(row)), bool)


def _categories(category_ids: Mapping[str, int], prompts: AskedPrompts) -> list[dict[str, Any]]:
    """The categories of these words; where all cases were asked the same, each with its prompt id."""
    prompt_ids = {words: {"prompt_id": prompt_id} for prompt_id, words in prompts.shared.items()}
    return [{"id": number, "name": words, **prompt_ids.get(words, {})} for words, number in category_ids.items()]


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
