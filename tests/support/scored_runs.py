"""A data set of drawn vessels by six patients, and runs whose faults one knows."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

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


def write_data(folder: Path) -> Dataset:
    """Two frames of one sequence of each patient, with ground truth."""
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for patient in range(1, PATIENTS + 1):
        for frame in range(1, FRAMES + 1):
            truth = vessel_tree(rng, SIDE)
            grey = np.clip(170 - 90 * gaussian_filter(truth.astype(float), 0.7) + rng.normal(0, 5, truth.shape), 0, 255)
            name = f"P{patient:02d}_S01_{frame:03d}.png"
            Image.fromarray(grey.astype(np.uint8)).save(folder / "images" / name)
            Image.fromarray(truth.astype(np.uint8) * 255).save(folder / "masks" / name)
    (folder / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    return open_dataset(folder)


def write_run(folder: Path, dataset: Dataset, noise: float, failing: int = 0) -> Path:
    """A finished run of one prompt: blurred ground truth as logits, with noise; the first cases fail."""
    rng = np.random.default_rng(1)
    mark = start_run(folder, {"prompts": {"p1": "vessel"}, "threshold": 0.5, "combine": "union"}).config_sha256
    for number, case in enumerate(dataset.cases):
        width, height = case.truth.size
        truth = case.truth.mask(width, height)
        logits = round_for_storage(
            8 * (gaussian_filter(truth.astype(float), 0.7) - 0.5) + rng.normal(0, noise, truth.shape)
        )
        failed = number < failing
        mask = None if failed else logits > 0
        known = {
            "case_id": case.case_id,
            "prompt_id": "p1",
            "seg_count": int(not failed),
            "width": width,
            "height": height,
        }
        known["status"] = PredictionStatus.NO_SEG if failed else PredictionStatus.OK
        if not failed:
            known |= {"seg_index": 0, "mask_pixels": int(mask.sum()), "mask_fraction": float(mask.mean())}
        row = PredictionRow(**{**dict.fromkeys(COLUMNS), **known})
        maps = {} if failed else {"p1": StoredLogits(logits[None], Upsampling.NONE, None, width, height)}
        masks = {} if failed else {"p1": mask}
        commit_case(folder, mark, CaseResult(case.case_id, (row,), maps, masks, {"read_seconds": 0.1, "batch_size": 1}))
    assert finish_run(folder, [case.case_id for case in dataset.cases], {})
    return folder
