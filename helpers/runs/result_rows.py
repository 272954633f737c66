"""The rows of a run's table: one for each `[SEG]` of a case and prompt, or one where there is none."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from helpers.data.frames.image_reading import natural_key
from helpers.runs.status import PredictionStatus


@dataclass(frozen=True)
class PredictionRow:
    """One row; docs/run-format.md describes the columns. None where unknown or absent.

    The key is (case_id, frame, prompt_id, seg_index); `seg_index` is None where the answer has no `[SEG]`.
    """

    case_id: str
    frame: int | None
    prompt_id: str
    seg_index: int | None
    patient: str | None
    sequence: str | None
    split: str | None
    status: PredictionStatus
    text: str | None
    message: str | None
    width: int | None
    height: int | None
    seg_count: int | None
    mask_pixels: int | None
    mask_fraction: float | None
    predicted_iou: float | None
    object_score: float | None
    token_count: int | None
    tiles: int | None
    image_sha256: str | None
    rle: str | None
    position: int | None = None
    members: int | None = None
    disagreement: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {**dataclasses.asdict(self), "status": self.status.value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PredictionRow":
        """The row of a JSON object. Raises KeyError, TypeError or ValueError for another one."""
        return cls(**{**values, "status": PredictionStatus(values["status"])})


COLUMNS = tuple(field.name for field in dataclasses.fields(PredictionRow))
_COUNTS = {"seg_count", "mask_pixels", "token_count", "tiles", "members"}
_INTEGERS = {"frame", "seg_index", "width", "height", "position", *_COUNTS}
_FLOATS = {"mask_fraction", "predicted_iou", "object_score", "disagreement"}

_SHOWN = 10  # case ids in a message


def _arrow_type(name: str) -> pa.DataType:
    return pa.int64() if name in _INTEGERS else pa.float64() if name in _FLOATS else pa.string()


SCHEMA = pa.schema([(name, _arrow_type(name)) for name in COLUMNS])


def listed(case_ids: Iterable[str]) -> str:
    """The first case ids, and how many more there are."""
    all_ids = list(case_ids)
    more = len(all_ids) - _SHOWN
    return ", ".join(all_ids[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def in_key_order(rows: Iterable[PredictionRow]) -> tuple[PredictionRow, ...]:
    """Rows in natural order of their key: `c2` before `c10`, `p2` before `p10`, None first."""

    def key(row: PredictionRow) -> tuple[Any, ...]:
        frame, seg_index = (-1 if number is None else number for number in (row.frame, row.seg_index))
        return natural_key(row.case_id), frame, natural_key(row.prompt_id), seg_index

    return tuple(sorted(rows, key=key))


def to_arrow(rows: Sequence[PredictionRow]) -> pa.Table:
    """Rows, in their order, as the table that predictions.parquet holds."""
    return pa.Table.from_pylist([row.to_json() for row in rows], schema=SCHEMA)
