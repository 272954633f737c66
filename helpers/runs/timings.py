"""The times of a run's cases and what saved time, apart from its results since they differ between equal runs."""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("case_id", pa.string()),
        ("read_seconds", pa.float64()),
        ("prepare_seconds", pa.float64()),
        ("predict_seconds", pa.float64()),
        ("batch_size", pa.int64()),
        ("drafted_answers", pa.int64()),
    ]
)


def timing_path(run: Path, case_id: str) -> Path:
    """The file of a case's times."""
    return run / "timings" / f"{case_id}.json"


def timing_table(run: Path, case_ids: Iterable[str]) -> pa.Table:
    """The table of timings.parquet, a row for each case in the order given; null where a stage did not run.

    A lost or damaged file counts as one without times: they are not results, and nothing is computed again for them.
    """
    rows = [{"case_id": case_id, **_times(timing_path(run, case_id))} for case_id in case_ids]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def predict_summary(table: pa.Table) -> dict[str, float | int | None]:
    """Median and largest seconds of predicting a case, None where the predictor never ran; all drafted answers."""
    seconds = [value for value in table["predict_seconds"].to_pylist() if value is not None]
    return {
        "median_predict_seconds": statistics.median(seconds) if seconds else None,
        "max_predict_seconds": max(seconds, default=None),
        "drafted_answers": sum(value or 0 for value in table["drafted_answers"].to_pylist()),
    }


def _times(path: Path) -> dict[str, float | int]:
    try:
        times = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return times if isinstance(times, dict) else {}
