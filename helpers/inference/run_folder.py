"""The run folder, version 0 (docs/run-format.md): written by inference, read by notebooks."""

import csv
import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.errors import RefusedInput
from helpers.inference.prediction import Prediction, stored_grid
from helpers.inference.status import PredictionStatus
from helpers.tables_text import safe_text

SCHEMA = "vesselkit.run"
SCHEMA_VERSION = 0
MANIFEST_NAME = "manifest.json"
TABLE_NAME = "predictions.csv"
COLUMNS = (
    "case_id",
    "status",
    "seg_count",
    "width",
    "height",
    "mask_pixels",
    "mask_fraction",
    "seconds",
    "text",
    "message",
)


@dataclass(frozen=True)
class CaseRow:
    """The row of one frame in predictions.csv; None where unknown or absent. Units as in `Prediction`."""

    case_id: str
    status: PredictionStatus
    seg_count: int | None
    width: int | None
    height: int | None
    mask_pixels: int | None
    mask_fraction: float | None
    seconds: float | None
    text: str | None
    message: str | None


def write_case(folder: Path, prediction: Prediction) -> CaseRow:
    """Write the logits and mask of one frame, where there are any, and return its row."""
    mask = prediction.mask
    if prediction.logits is not None and mask is not None:
        for part in ("logits", "masks"):
            (folder / part).mkdir(exist_ok=True)
        np.savez_compressed(logits_path(folder, prediction.case_id), logits=stored_grid(prediction.logits))
        Image.fromarray(mask.astype(np.uint8) * 255).save(mask_path(folder, prediction.case_id))
    return CaseRow(
        case_id=prediction.case_id,
        status=prediction.status,
        seg_count=prediction.seg_count,
        width=prediction.width,
        height=prediction.height,
        mask_pixels=None if mask is None else int(mask.sum()),
        mask_fraction=None if mask is None else round(float(mask.mean()), 6),
        seconds=None if prediction.seconds is None else round(prediction.seconds, 4),
        text=prediction.text,
        message=prediction.message,
    )


def logits_path(folder: Path, case_id: str) -> Path:
    """Where a run keeps the logits of one frame."""
    return folder / "logits" / f"{case_id}.npz"


def mask_path(folder: Path, case_id: str) -> Path:
    """Where a run keeps the union mask of one frame."""
    return folder / "masks" / f"{case_id}.png"


def write_table(folder: Path, rows: Iterable[CaseRow]) -> None:
    """Write predictions.csv, UTF-8; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    with (folder / TABLE_NAME).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([_cell(getattr(row, name)) for name in COLUMNS])


def count_statuses(rows: Iterable[CaseRow]) -> dict[str, int]:
    """Number of frames of each status, zeros included."""
    found = Counter(row.status for row in rows)
    return {status.value: found[status] for status in PredictionStatus}


def seconds_summary(rows: Iterable[CaseRow]) -> dict[str, float] | None:
    """Median and maximum of the model's seconds an image; None where it never ran."""
    seconds = [row.seconds for row in rows if row.seconds is not None]
    return {"median": round(statistics.median(seconds), 4), "max": max(seconds)} if seconds else None


def read_manifest(run: Path) -> Mapping[str, Any]:
    """The manifest of a finished run. Raises `RefusedInput` where there is none, or one of another schema."""
    path = run / MANIFEST_NAME
    if not path.is_file():
        raise RefusedInput(f"{path}: not found; expected a finished run folder. Run the inference again")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RefusedInput(f"{path}: not readable as JSON ({error}). Run the inference again") from error
    found = (values.get("schema"), values.get("schema_version")) if isinstance(values, dict) else (None, None)
    if found != (SCHEMA, SCHEMA_VERSION):
        raise RefusedInput(f"{path}: expected {SCHEMA} version {SCHEMA_VERSION}, found {found[0]} {found[1]}")
    return values


def read_mask(run: Path, case_id: str) -> np.ndarray | None:
    """The mask of one frame, bool (H, W); None where the run has no mask for it."""
    path = mask_path(run, case_id)
    if not path.is_file():
        return None
    with Image.open(path) as image:
        return np.asarray(image) > 0


def read_logits(run: Path, case_id: str) -> np.ndarray | None:
    """The logits of one frame, float16 (n, H, W); None where the run has none for it."""
    path = logits_path(run, case_id)
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return stored["logits"]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return safe_text(str(value)) if isinstance(value, str) else value
