"""A data set of vessel trees by six patients, and runs of any masks."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.data.dataset import Dataset, open_dataset
from helpers.runs.case_parts import CaseResult, commit_case
from helpers.runs.finishing import finish_run
from helpers.runs.result_rows import COLUMNS, PredictionRow
from helpers.runs.run_config import start_run
from helpers.runs.status import PredictionStatus
from helpers.runs.stored_maps import StoredLogits, Upsampling, round_for_storage
from tests.support.drawn_masks import vessel_tree

SIDE = 64
PATIENTS, FRAMES = 6, 2


def write_data(
    folder: Path, truth_scale: int = 1, patients: int = PATIENTS, spelled: Callable[[int, int], str] | None = None
) -> Dataset:
    """Two frames of one sequence of each patient; `truth_scale` times as many pixels a side in their truths.

    Args:
        spelled: name of a patient, from 1, in a frame, 1 or 2; None for P01, P02, ...
    """
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for patient in range(1, patients + 1):
        for frame in range(1, FRAMES + 1):
            truth = vessel_tree(rng, SIDE)
            person = f"P{patient:02d}" if spelled is None else spelled(patient, frame)
            name = f"{person}_S01_{frame:03d}.png"
            Image.fromarray(np.where(truth, 90, 170).astype(np.uint8)).save(folder / "images" / name)
            drawn = np.kron(truth, np.ones((truth_scale, truth_scale), bool))
            Image.fromarray(drawn.astype(np.uint8) * 255).save(folder / "masks" / name)
    (folder / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    return open_dataset(folder)


def write_run(
    folder: Path,
    masks: Mapping[str, np.ndarray | None],
    logits: Mapping[str, np.ndarray] | None = None,
    sizes: Mapping[str, int | None] | None = None,
    **config: Any,
) -> Path:
    """A finished run of one prompt: masks, bool (SIDE, SIDE), by case id; None for a case that failed.

    Args:
        logits: behind the masks, by case id; None for -4 and 4.
        sizes: sides of frames that are not of `SIDE`, by case id; None for one that could not be read.
    """
    values = {"prompts": {"p1": "vessel"}, "threshold": 0.5, "combine": "union", **config}
    mark = start_run(folder, values).config_sha256
    for case_id, mask in masks.items():
        known = {"case_id": case_id, "prompt_id": "p1", "seg_count": 0}
        known |= dict.fromkeys(("width", "height"), (sizes or {}).get(case_id, SIDE))
        known["status"], maps, found = PredictionStatus.NO_SEG, {}, {}
        if mask is not None:
            known |= {"status": PredictionStatus.OK, "seg_count": 1, "seg_index": 0, "mask_pixels": int(mask.sum())}
            stored = round_for_storage(np.where(mask, 4.0, -4.0) if logits is None else logits[case_id])[None]
            maps, found = {"p1": StoredLogits(stored, Upsampling.NONE, None, SIDE, SIDE)}, {"p1": mask}
        row = PredictionRow(**{**dict.fromkeys(COLUMNS), **known})
        commit_case(folder, mark, CaseResult(case_id, (row,), maps, found, {}))
    assert finish_run(folder, list(masks), {})
    return folder
