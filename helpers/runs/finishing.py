"""The end of a run: parts become tables, and the manifest is written last."""

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from pycocotools import mask as coco_masks

from helpers import __version__
from helpers.atomic import write_bytes_atomic, write_json_atomic
from helpers.runs.config import SCHEMA, SCHEMA_VERSION, read_config
from helpers.runs.parts import is_done, read_part, timing_path
from helpers.runs.rows import PredictionRow, to_arrow
from helpers.runs.status import PredictionStatus

MANIFEST_NAME = "manifest.json"
TABLE_NAME = "predictions.parquet"
TIMINGS_NAME = "timings.parquet"
COCO_NAME = "coco.json"


def finish_run(run: Path, case_ids: Sequence[str], extra: Mapping[str, Any]) -> bool:
    """Write the tables, coco.json and manifest.json of a run whose cases are all there.

    Args:
        case_ids: of the whole run, in its order, which is that of the tables.
        extra: further fields of the manifest.
    Returns:
        False, with nothing written, where cases are still missing.
    """
    config = read_config(run)
    if not all(is_done(run, config.config_sha256, case_id) for case_id in case_ids):
        return False
    rows = [row for case_id in case_ids for row in read_part(run, case_id).rows]
    timings = [_timing(run, case_id) for case_id in case_ids]
    files = {
        TABLE_NAME: parquet_bytes(to_arrow(rows)),
        TIMINGS_NAME: parquet_bytes(pa.Table.from_pylist(timings)),
        COCO_NAME: (json.dumps(coco(rows, config.values["prompts"]), indent=1, sort_keys=True) + "\n").encode(),
    }
    for name, content in files.items():
        write_bytes_atomic(run / name, content)
    manifest = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config_sha256": config.config_sha256,
        "config": config.values,
        "data_sha256": data_sha256(rows),
        "cases": len(case_ids),
        "counts": count_statuses(rows),
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
        "versions": _versions(),
        "machine": _machine(),
        "timing": _summary(timings),
        **extra,
    }
    write_json_atomic(run / MANIFEST_NAME, manifest)
    return True


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file; equal tables give equal bytes."""
    buffer = BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def data_sha256(rows: Sequence[PredictionRow]) -> str:
    """SHA-256 over the sorted (case id, hash of the pixels) of all cases."""
    found = sorted({(row.case_id, row.image_sha256 or "") for row in rows})
    return sha256(json.dumps(found).encode()).hexdigest()


def count_statuses(rows: Sequence[PredictionRow]) -> dict[str, int]:
    """Number of case and prompt pairs of each status, zeros included."""
    found = Counter({(row.case_id, row.prompt_id): row.status for row in rows}.values())
    return {status.value: found[status] for status in PredictionStatus}


def coco(rows: Sequence[PredictionRow], prompts: Mapping[str, str]) -> dict[str, Any]:
    """A run in COCO's form: images by case id, a category for each prompt, an annotation for each `[SEG]`."""
    sizes = {row.case_id: (row.width, row.height) for row in rows if row.width is not None}
    image_ids = {case_id: number for number, case_id in enumerate(sizes, start=1)}
    categories = {prompt_id: number for number, prompt_id in enumerate(prompts, start=1)}
    annotations = []
    for row in rows:
        if row.rle is None:
            continue
        code = {"size": [row.height, row.width], "counts": row.rle.encode("ascii")}
        annotation = {
            "id": len(annotations) + 1,
            "image_id": image_ids[row.case_id],
            "category_id": categories[row.prompt_id],
            "case_id": row.case_id,
            "seg_index": row.seg_index,
            "segmentation": {"size": [row.height, row.width], "counts": row.rle},
            "area": float(coco_masks.area(code)),
            "bbox": [float(value) for value in coco_masks.toBbox(code)],
            "iscrowd": 0,
        }
        annotations.append(annotation if row.predicted_iou is None else {**annotation, "score": row.predicted_iou})
    images = [
        {"id": image_ids[case_id], "file_name": f"{case_id}.png", "width": width, "height": height}
        for case_id, (width, height) in sizes.items()
    ]
    named = [
        {"id": number, "name": prompts[prompt_id], "prompt_id": prompt_id} for prompt_id, number in categories.items()
    ]
    return {"images": images, "categories": named, "annotations": annotations}


def _timing(run: Path, case_id: str) -> dict[str, Any]:
    path = timing_path(run, case_id)
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    names = ("read_seconds", "prepare_seconds", "predict_seconds")
    times = {name: None if found.get(name) is None else float(found[name]) for name in names}
    return {"case_id": case_id, **times, "batch_size": found.get("batch_size")}


def _summary(timings: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Median and largest model seconds of a frame; None where the model never ran."""
    seconds = [row["predict_seconds"] for row in timings if row["predict_seconds"] is not None]
    if not seconds:
        return {"median_predict_seconds": None, "max_predict_seconds": None}
    return {"median_predict_seconds": float(np.median(seconds)), "max_predict_seconds": max(seconds)}


def _versions() -> dict[str, str]:
    packages = ("torch", "transformers", "numpy", "pillow", "pyarrow")
    return {"vesselkit": __version__, "python": platform.python_version(), **{name: version(name) for name in packages}}


def _machine() -> dict[str, Any]:
    """What computed the last part, without names."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"system": platform.system(), "processors": psutil.cpu_count(), "gpu": gpu}
