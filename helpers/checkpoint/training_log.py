"""mmengine's training log: the numbers written while training."""

import json
import logging
from enum import Enum
from pathlib import Path

import pandas as pd

from helpers.errors import RefusedInput

log = logging.getLogger(__name__)

_MAX_LOG_BYTES = 1 << 30


class LogScope(Enum):
    """Which runs of a training folder to read."""

    NEWEST = "newest"
    ALL = "all"


def list_runs(folder: Path) -> tuple[Path, ...]:
    """The logs (`*/vis_data/scalars.json`) of a training folder, oldest run first.

    mmengine names each run by its start time, so the order of names is that of time.
    """
    return tuple(sorted(folder.glob("*/vis_data/scalars.json"), key=lambda path: path.parent.parent.name))


def read_training_log(folder: Path, scope: LogScope = LogScope.NEWEST) -> pd.DataFrame:
    """The log of a training folder as a table, a row for each line written.

    Columns: run (name of the run's folder), step, then whatever the run logged: loss columns, lr,
    grad_norm, time and data_time (seconds), memory (MB). A value that a line does not hold is NaN,
    and so is a loss that was not finite when logged as NaN. A last line cut by an interruption is
    left out, with a logged warning. A folder without a log gives an empty table.

    Raises RefusedInput, naming file and line, for any other line that is not a JSON object.
    """
    runs = list_runs(folder)
    if scope is LogScope.NEWEST:
        runs = runs[-1:]
    rows = [{"run": path.parent.parent.name} | row for path in runs for row in _read_lines(path)]
    table = pd.DataFrame(rows)
    first = ["run", "step"]
    return table.reindex(columns=[*first, *(name for name in table.columns if name not in first)])


def _read_lines(path: Path) -> list[dict[str, object]]:
    if path.stat().st_size > _MAX_LOG_BYTES:
        raise RefusedInput(f"{path} is larger than {_MAX_LOG_BYTES >> 30} GB, which no training log is.")
    lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            if number == len(lines):
                log.warning("%s: the last line is cut and left out.", path)
                break
            raise RefusedInput(f"{path}, line {number} is not JSON ({error}). The log is damaged.") from error
        if not isinstance(row, dict):
            raise RefusedInput(f"{path}, line {number} holds a {type(row).__name__}; expected an object per line.")
        rows.append(_row(row))
    return rows


def _row(row: dict[str, object]) -> dict[str, object]:
    """The plain numbers and texts of a line; validation lines have no `step` but an `iter`."""
    plain = {key: value for key, value in row.items() if isinstance(value, int | float | str)}
    if "step" not in plain and "iter" in plain:
        plain["step"] = plain["iter"]
    return plain
