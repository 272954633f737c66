"""A finished run of three cases and two prompts, small enough to check by eye, and its data set."""

import json

import numpy as np
from PIL import Image

from helpers.data.dataset import open_dataset
from helpers.runs.case_parts import CaseResult, commit_case
from helpers.runs.finishing import finish_run
from helpers.runs.result_rows import COLUMNS, PredictionRow
from helpers.runs.run_config import start_run
from helpers.runs.status import PredictionStatus
from helpers.runs.stored_maps import StoredLogits, Upsampling

WIDTH, HEIGHT = 12, 8
PROMPTS = {"p1": "vessel", "p2": "<b>vessels</b>"}

# (status, columns of row 2 that the mask covers) for each prompt; None where there is no mask.
CASES = {
    "a": ((PredictionStatus.OK, range(4)), (PredictionStatus.OK, range(2, 6))),
    "b": ((PredictionStatus.OK, range(4)), (PredictionStatus.NO_SEG, None)),
    "c": ((PredictionStatus.READ_ERROR, None), (PredictionStatus.READ_ERROR, None)),
}


def mask_of(columns):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[2, list(columns)] = True
    return mask


def maps_of(mask):
    logits = np.where(mask, 4, -4).astype(np.float16)[None]
    return StoredLogits(logits, Upsampling.NONE, None, WIDTH, HEIGHT)


def write_data(folder):
    """Frames `a` and `b` with the truth of columns 0 to 3, and `c`, which cannot be read."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for name in "abc":
        Image.new("L", (WIDTH, HEIGHT), 90).save(folder / "images" / f"{name}.png")
        Image.fromarray(mask_of(range(4)).astype(np.uint8) * 255).save(folder / "masks" / f"{name}.png")
    (folder / "images" / "c.png").write_bytes(b"broken")
    (folder / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    return open_dataset(folder)


def write_run(folder):
    """The finished run as a folder."""
    mark = start_run(folder, {"prompts": PROMPTS, "threshold": 0.5, "combine": "union"}).config_sha256
    for number, (case_id, answers) in enumerate(CASES.items(), start=1):
        masks = {name: mask_of(c) for name, (_, c) in zip(PROMPTS, answers, strict=True) if c is not None}
        rows = []
        for prompt_id, (status, columns) in zip(PROMPTS, answers, strict=True):
            known = {
                "case_id": case_id,
                "prompt_id": prompt_id,
                "status": status,
                "seg_count": int(columns is not None),
            }
            if columns is not None:
                known |= {"seg_index": 0, "mask_pixels": len(columns), "mask_fraction": len(columns) / (WIDTH * HEIGHT)}
            rows.append(PredictionRow(**{**dict.fromkeys(COLUMNS), **known}))
        timing = {"read_seconds": 1.0, "batch_size": 1} | ({"predict_seconds": float(number)} if masks else {})
        commit_case(
            folder,
            mark,
            CaseResult(case_id, tuple(rows), {name: maps_of(mask) for name, mask in masks.items()}, masks, timing),
        )
    assert finish_run(folder, list(CASES), {})
    return folder
