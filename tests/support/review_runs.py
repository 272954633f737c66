"""A data set and a run with one case of each kind that a review meets."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from helpers.core.vocabulary import Combine
from helpers.data.dataset import Dataset, open_dataset
from helpers.runs.case_parts import CaseResult, commit_case
from helpers.runs.finishing import finish_run
from helpers.runs.result_rows import COLUMNS, PredictionRow
from helpers.runs.run_config import read_config, start_run
from helpers.runs.status import PredictionStatus
from helpers.runs.stored_maps import StoredLogits, Upsampling, combined_mask, round_for_storage

WIDTH, HEIGHT = 96, 80
GRID, NETWORK = 64, 256
MARKUP = '<img src="x" onerror="alert(1)">&"\''
CASES = ("P1_S1_001", "P1_S1_002", "P2_S1_001", "P2_S1_002", "P3_S1_001", "P4_S1_001")
GRIDDED, SAME, SEVERAL, FAILED, NO_TRUTH, BROKEN = CASES


def tube(bend: float, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A curved vessel across the frame, bool (height, width)."""
    rows, columns = np.mgrid[:height, :width]
    middle = height / 2 + bend * height * np.sin(3 * columns / width)
    return np.abs(rows - middle) < 4 + 2 * np.cos(columns / 9)


def smooth_logits(seed: int, count: int = 1, grid: int = GRID) -> np.ndarray:
    """Maps like a model's, float16 (count, grid, grid): a vessel, soft edges, some noise."""
    rng = np.random.default_rng(seed)
    maps = [
        22 * gaussian_filter(tube(0.1 + 0.1 * number, grid, grid).astype(float), 1.0)
        - 12
        + 3 * gaussian_filter(rng.normal(size=(grid, grid)), 1.5)
        for number in range(count)
    ]
    return round_for_storage(np.array(maps))


def two_step(logits: np.ndarray, width: int = WIDTH, height: int = HEIGHT, network: int = NETWORK) -> StoredLogits:
    """Maps on the model's grid."""
    return StoredLogits(logits, Upsampling.SAM2_TWO_STEP, network, width, height)


def write_data(folder: Path) -> Dataset:
    """The frames; one has no ground truth, one cannot be read."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, name in enumerate(CASES):
        truth = tube(0.1 + 0.02 * number)
        grey = np.clip(170 - 90 * truth + rng.normal(0, 5, truth.shape), 0, 255)
        Image.fromarray(grey.astype(np.uint8)).save(folder / "images" / f"{name}.png")
        if name != NO_TRUTH:
            Image.fromarray(truth.astype(np.uint8) * 255).save(folder / "masks" / f"{name}.png")
    (folder / "images" / f"{BROKEN}.png").write_bytes(b"broken")
    (folder / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    return open_dataset(folder)


def write_run(folder: Path, seed: int = 0, threshold: float = 0.5) -> Path:
    """The finished run of one prompt."""
    config = {"prompts": {"p1": MARKUP}, "threshold": threshold, "combine": "union", "seed": seed}
    mark = start_run(folder, config).config_sha256
    same = np.where(tube(0.12), 3.0, -3.0)[None]
    stored = {
        GRIDDED: two_step(smooth_logits(seed)),
        SAME: StoredLogits(round_for_storage(same), Upsampling.NONE, None, WIDTH, HEIGHT),
        SEVERAL: two_step(smooth_logits(seed + 2, count=2)),
        NO_TRUTH: two_step(smooth_logits(seed + 3)),
    }
    for case_id in CASES:
        maps = stored.get(case_id)
        status = PredictionStatus.OK
        if maps is None:
            status = PredictionStatus.NO_SEG if case_id == FAILED else PredictionStatus.READ_ERROR
        known = {"case_id": case_id, "prompt_id": "p1", "status": status, "seg_count": 0, "text": MARKUP}
        if case_id != BROKEN:
            known |= {"width": WIDTH, "height": HEIGHT}
        if maps is None:
            row = PredictionRow(**{**dict.fromkeys(COLUMNS), **known})
            commit_case(folder, mark, CaseResult(case_id, (row,), {}, {}, {}))
            continue
        mask = combined_mask(maps.full_size(), threshold, Combine.UNION)
        known |= {"mask_pixels": int(mask.sum()), "mask_fraction": float(mask.mean()), "seg_count": len(maps.logits)}
        rows = tuple(
            PredictionRow(**{**dict.fromkeys(COLUMNS), **known, "seg_index": index})
            for index in range(len(maps.logits))
        )
        commit_case(folder, mark, CaseResult(case_id, rows, {"p1": maps}, {"p1": mask}, {}))
    assert finish_run(folder, list(CASES), {})
    return folder


def predict_again(folder: Path, case_id: str, seed: int = 99, threshold: float = 0.5) -> Path:
    """The run finished again after one of its cases got another mask, as where its image was another one."""
    config = read_config(folder)
    maps = two_step(smooth_logits(seed))
    mask = combined_mask(maps.full_size(), threshold, Combine.UNION)
    known = {
        "case_id": case_id, "prompt_id": "p1", "status": PredictionStatus.OK, "seg_count": 1, "seg_index": 0,
        "width": WIDTH, "height": HEIGHT, "mask_pixels": int(mask.sum()), "mask_fraction": float(mask.mean()),
    }  # fmt: skip
    row = PredictionRow(**{**dict.fromkeys(COLUMNS), **known})
    commit_case(folder, config.config_sha256, CaseResult(case_id, (row,), {"p1": maps}, {"p1": mask}, {}))
    assert finish_run(folder, list(CASES), {})
    return folder


def write_many(data: Path, folder: Path, count: int) -> None:
    """A data set of equal small frames, and the finished run over them."""
    for part in ("images", "masks"):
        (data / part).mkdir(parents=True)
    (data / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    truth, stored = tube(0.1), two_step(smooth_logits(0))
    mask = combined_mask(stored.full_size(), 0.5, Combine.UNION)
    Image.fromarray(np.where(truth, 90, 170).astype(np.uint8)).save(data / "image.png")
    Image.fromarray(truth.astype(np.uint8) * 255).save(data / "mask.png")
    image, annotated = (data / "image.png").read_bytes(), (data / "mask.png").read_bytes()
    for name in ("image.png", "mask.png"):
        (data / name).unlink()
    mark = start_run(folder, {"prompts": {"p1": "vessel"}, "threshold": 0.5, "combine": "union"}).config_sha256
    case_ids = [f"P{number // 20:03d}_S{number // 10 % 2}_{number % 10:03d}" for number in range(count)]
    known = {
        "prompt_id": "p1", "status": PredictionStatus.OK, "seg_count": 1, "seg_index": 0, "width": WIDTH,
        "height": HEIGHT, "mask_pixels": int(mask.sum()), "mask_fraction": float(mask.mean()), "text": "[SEG]",
    }  # fmt: skip
    for case_id in case_ids:
        (data / "images" / f"{case_id}.png").write_bytes(image)
        (data / "masks" / f"{case_id}.png").write_bytes(annotated)
        row = PredictionRow(**{**dict.fromkeys(COLUMNS), **known, "case_id": case_id})
        commit_case(folder, mark, CaseResult(case_id, (row,), {"p1": stored}, {"p1": mask}, {}))
    assert finish_run(folder, case_ids, {})


def fingerprint(run):
    return json.loads((run / "manifest.json").read_text())["files"]["predictions.parquet"]


def verdict_lines(run, *records):
    """The records as lines of a reader's file, on the run as it is."""
    return "".join(json.dumps({**one.to_json(), "run": fingerprint(run)}) + "\n" for one in records)
