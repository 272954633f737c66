"""Folders that training leaves behind: mmengine work folders, and DeepSpeed checkpoints."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import RefusedInput

_CHECKPOINT_NAME = re.compile(r"(iter|epoch)_(\d+)\.pth\Z")
_DEEPSPEED_STATE_NAME = re.compile(r"(mp_rank_\d+_model_states|(bf16_)?zero_pp_rank_\d+.*)\.pt\Z")
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
