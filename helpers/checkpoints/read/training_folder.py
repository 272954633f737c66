"""Folders that training leaves: mmengine's work folders with log and meta entry, and DeepSpeed checkpoints."""

import json
import logging
import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pandas as pd

from helpers.core.errors import RefusedInput

log = logging.getLogger(__name__)
_MAX_LOG_BYTES = 1 << 30
# Deeper or wider values than mmengine writes are shown as their type only.
_MAX_DEPTH = 8
_CHECKPOINT_NAME = re.compile(r"(iter|epoch)_(\d+)\.pth\Z")
_DEEPSPEED_STATE_NAME = re.compile(r"(mp_rank_\d+_model_states|(bf16_)?zero_pp_rank_\d+.*)\.pt\Z")
_DEEPSPEED_ENTRIES = frozenset(("ds_version", "ds_config", "param_shapes", "buffer_names"))
_DEEPSPEED_SCRIPT = "zero_to_fp32.py"
_LAST_CHECKPOINT = "last_checkpoint"
_MAX_POINTER_BYTES = 4096


@dataclass(frozen=True)
class TrainingCheckpoint:
    """One checkpoint of a training folder.

    `size` is in bytes, None for a DeepSpeed folder. `iteration` or `epoch` is the number in its name.
    `is_last` tells that the folder's last_checkpoint file names it.
    """

    path: Path
    size: int | None
    iteration: int | None
    epoch: int | None
    is_last: bool


def list_checkpoints(folder: Path) -> tuple[TrainingCheckpoint, ...]:
    """The iter_N.pth and epoch_N.pth of a folder, by number, iterations first."""
    last = read_last_checkpoint_name(folder)
    found = []
    for path in folder.iterdir():
        match = _CHECKPOINT_NAME.match(path.name)
        if match:
            number = int(match.group(2))
            found.append(
                TrainingCheckpoint(
                    path=path,
                    size=path.stat().st_size if path.is_file() else None,
                    iteration=number if match.group(1) == "iter" else None,
                    epoch=number if match.group(1) == "epoch" else None,
                    is_last=path.name == last,
                )
            )
    return tuple(sorted(found, key=lambda item: (item.iteration is None, item.iteration or 0, item.epoch or 0)))


def read_last_checkpoint_name(folder: Path) -> str | None:
    """The file name in last_checkpoint, None without one. Its path is that of the training machine and is dropped."""
    pointer = folder / _LAST_CHECKPOINT
    if not pointer.is_file():
        return None
    text = _first_line(pointer)
    return re.split(r"[/\\]", text)[-1] or None


def is_training_folder(folder: Path) -> bool:
    """True for a folder with iter_N.pth or epoch_N.pth, a last_checkpoint file, or mmengine's log."""
    if not folder.is_dir():
        return False
    return (
        (folder / _LAST_CHECKPOINT).is_file()
        or bool(list_checkpoints(folder))
        or any(folder.glob("*/vis_data/scalars.json"))
    )


def refuse_training_folder(folder: Path) -> None:
    """Raise RefusedInput when the folder is a training folder, listing the checkpoints to choose from."""
    if not is_training_folder(folder):
        return
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        raise RefusedInput(f"{folder} is a training folder without any checkpoint (iter_N.pth or epoch_N.pth).")
    names = ", ".join(item.path.name + (" (last)" if item.is_last else "") for item in checkpoints)
    raise RefusedInput(
        f"{folder} is a training folder, not a checkpoint. It holds {names}. "
        f"Name one of them, for example {checkpoints[-1].path}."
    )


def refuse_deepspeed(path: Path) -> None:
    """Raise RefusedInput for a DeepSpeed checkpoint (folder, or a file of one), with the command that consolidates it.

    DeepSpeed writes each checkpoint into a subfolder (its tag) and puts `latest` and the
    consolidating script beside these subfolders.
    """
    folder = path.parent if path.is_file() and _DEEPSPEED_STATE_NAME.match(path.name) else path
    if not folder.is_dir():
        return
    tag: str | None
    if _holds_deepspeed_states(folder):
        root, tag = folder.parent, folder.name
    elif (folder / _DEEPSPEED_SCRIPT).is_file() or (folder / "latest").is_file():
        root, tag = folder, _latest_tag(folder)
    else:
        return
    tag_option = f" --tag {shlex.quote(tag)}" if tag else ""
    command = f"cd {shlex.quote(str(root))} && python {_DEEPSPEED_SCRIPT} . pytorch_model.bin{tag_option}"
    has_script = (root / _DEEPSPEED_SCRIPT).is_file()
    hint = "" if has_script else f" {_DEEPSPEED_SCRIPT} is not there: copy it from an installed deepspeed first."
    raise RefusedInput(
        f"{path} is a DeepSpeed checkpoint: its weights are spread over several files. Consolidate it, in the training "
        f"environment, with:\n  {command}\n"
        f"and then give the resulting pytorch_model.bin (newer versions of DeepSpeed make it a folder).{hint}"
    )


def refuse_deepspeed_entries(path: Path, entries: Collection[str]) -> None:
    """Raise RefusedInput for one file of a DeepSpeed checkpoint under another name, told by its entries."""
    if not _DEEPSPEED_ENTRIES.isdisjoint(entries):
        raise RefusedInput(
            f"{path} is one file of a DeepSpeed checkpoint, whose weights are spread over several (it holds "
            f"{', '.join(entries)}). Go back to the folder that training wrote, in which it is called "
            f"mp_rank_00_model_states.pt or ..._optim_states.pt, consolidate that with its {_DEEPSPEED_SCRIPT}, and "
            "give the resulting pytorch_model.bin"
        )


def _holds_deepspeed_states(folder: Path) -> bool:
    return any(
        _DEEPSPEED_STATE_NAME.match(item.name) or (item.is_dir() and item.name.startswith("zero_pp_rank"))
        for item in folder.iterdir()
    )


def _latest_tag(folder: Path) -> str | None:
    pointer = folder / "latest"
    return (_first_line(pointer) or None) if pointer.is_file() else None


def _first_line(path: Path) -> str:
    with path.open("rb") as stream:
        text = stream.read(_MAX_POINTER_BYTES).decode("utf-8", "replace")
    lines = text.strip().splitlines()
    return lines[0].strip() if lines else ""


@dataclass(frozen=True)
class CheckpointMeta:
    """The `meta` entry. A field that is absent, or not of the expected type, is None.

    `config_text` is the training config as text; it is never executed. `dataset_meta` holds plain
    values only.
    """

    iter: int | None
    epoch: int | None
    seed: int | None
    experiment_name: str | None
    time: str | None
    mmengine_version: str | None
    config_text: str | None
    dataset_meta: dict[str, object] | None


def meta_from_entry(entry: Mapping[object, object]) -> CheckpointMeta:
    """Take the known fields of a checkpoint's `meta` entry."""
    dataset_meta = entry.get("dataset_meta")
    return CheckpointMeta(
        iter=_whole_number(entry.get("iter")),
        epoch=_whole_number(entry.get("epoch")),
        seed=_whole_number(entry.get("seed")),
        experiment_name=_text(entry.get("experiment_name")),
        time=_text(entry.get("time")),
        mmengine_version=_text(entry.get("mmengine_version")),
        config_text=_text(entry.get("cfg")),
        dataset_meta=_plain_dict(dataset_meta, 0) if isinstance(dataset_meta, Mapping) else None,
    )


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _plain_dict(value: Mapping[object, object], depth: int) -> dict[str, object]:
    return {str(key): _plain(item, depth + 1) for key, item in value.items()}


def _plain(value: object, depth: int) -> object:
    """The value as JSON can hold it; anything else as the name of its type."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return _plain_dict(value, depth)
    if depth < _MAX_DEPTH and isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return f"<{type(value).__name__}>"


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
    plain: dict[str, object] = {key: value for key, value in row.items() if isinstance(value, int | float | str)}
    if "step" not in plain and "iter" in plain:
        plain["step"] = plain["iter"]
    return plain
