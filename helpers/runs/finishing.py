"""The end of a run: parts become tables, and the manifest is written last."""

import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from helpers import __version__
from helpers.images.reading import natural_key
from helpers.paths import PARTIAL_PREFIX
from helpers.runs.coco import coco
from helpers.runs.config import MANIFEST_NAME, SCHEMA, SCHEMA_VERSION, read_config
from helpers.runs.durable import json_bytes, settle, write_durable
from helpers.runs.parts import done_part, part_path
from helpers.runs.rows import PredictionRow, in_key_order, to_arrow
from helpers.runs.status import PredictionStatus
from helpers.runs.timings import predict_summary, timing_table
from helpers.stamp import new_stamp

TABLE_NAME = "predictions.parquet"
TIMINGS_NAME = "timings.parquet"
COCO_NAME = "coco.json"


def finish_run(run: Path, case_ids: Iterable[str], extra: Mapping[str, Any]) -> bool:
    """Write the tables, coco.json and manifest.json of a run whose cases are all there.

    One process at a time may finish a run. What an earlier one left half-written is removed.

    Args:
        case_ids: of the whole run, in any order; the tables are in natural order of the key.
        extra: further fields of the manifest, a JSON object without names.
    Returns:
        False, with nothing written, where cases are still missing.
    """
    config = read_config(run)
    case_ids = sorted(set(case_ids), key=natural_key)
    # Else every process but the last would read all artefacts, only to find that cases are missing.
    if not all(part_path(run, case_id).exists() for case_id in case_ids):
        return False
    parts = []
    for case_id in case_ids:
        part = done_part(run, config.config_sha256, case_id)
        if part is None:
            return False
        parts.append(part)
    for path in run.glob(f"{PARTIAL_PREFIX}*"):
        path.unlink()
    names = [run / name for part in parts for name in part.artefacts]
    settle(run, [*names, *(part_path(run, part.case_id) for part in parts)])
    rows = in_key_order(row for part in parts for row in part.rows)
    prompts = in_order(config.values["prompts"])
    timings = timing_table(run, case_ids)
    files = {TABLE_NAME: parquet_bytes(to_arrow(rows)), COCO_NAME: json_bytes(coco(rows, prompts))}
    for name, content in (*files.items(), (TIMINGS_NAME, parquet_bytes(timings))):
        write_durable(run / name, content)
    stamp = new_stamp()
    manifest = {
        **extra,
        **({} if stamp is None else {"stamp": stamp}),
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": config.values,
        "config_sha256": config.config_sha256,
        "data_sha256": data_sha256(rows),
        "cases": len(case_ids),
        "predictions": len(case_ids) * len(prompts),
        "counts": count_statuses(rows),
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
        "versions": _versions(),
        "machine": _machine(),
        "timing": predict_summary(timings),
    }
    write_durable(run / MANIFEST_NAME, json_bytes(manifest))
    return True


def is_finished(run: Path) -> bool:
    """Whether a run has a manifest of its configuration, and the tables that it vouches for."""
    try:
        manifest = json.loads((run / MANIFEST_NAME).read_text(encoding="utf-8"))
        if manifest["config_sha256"] != read_config(run).config_sha256 or not (run / TIMINGS_NAME).is_file():
            return False
        wanted = {name: manifest["files"][name] for name in (TABLE_NAME, COCO_NAME)}
        return all(sha256((run / name).read_bytes()).hexdigest() == digest for name, digest in wanted.items())
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def in_order(prompts: Mapping[str, str]) -> dict[str, str]:
    """Prompt id -> the user's words, as they were given: `p2` before `p10`."""
    return {prompt_id: prompts[prompt_id] for prompt_id in sorted(prompts, key=natural_key)}


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file; equal tables give equal bytes under one version of pyarrow."""
    buffer = BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def data_sha256(rows: Sequence[PredictionRow]) -> str:
    """SHA-256 over the sorted (case id, hash of the pixels) of all cases, as JSON."""
    found = sorted({(row.case_id, row.image_sha256 or "") for row in rows})
    return sha256(json.dumps(found).encode()).hexdigest()


def count_statuses(rows: Sequence[PredictionRow]) -> dict[str, int]:
    """Number of case and prompt pairs of each status, zeros included."""
    found = Counter({(row.case_id, row.prompt_id): row.status for row in rows}.values())
    return {status.value: found[status] for status in PredictionStatus}


def _versions() -> dict[str, str]:
    packages = ("torch", "transformers", "numpy", "pillow", "pyarrow")
    return {"vesselkit": __version__, "python": platform.python_version(), **{name: version(name) for name in packages}}


def _machine() -> dict[str, Any]:
    """The machine that finished the run, without names."""
    import torch  # here, since a run is opened without it

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"system": platform.system(), "processors": psutil.cpu_count(), "gpu": gpu}
