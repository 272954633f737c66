"""Safe reading of files written by torch.save. No object of the file is ever brought to life.

The restricted loader of torch is used with a fixed list of names, all bound to one inert class.
mmengine puts its log history, and through it numpy arrays and `getattr`, into every checkpoint;
these become inert values. Whatever else a file asks for is refused. There is no unsafe fallback.
"""

import logging
import pickle
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from helpers.checkpoints.read.file_type import FileType, detect_file_type
from helpers.core.errors import RefusedInput

log = logging.getLogger(__name__)

# Names that mmengine's checkpoints hold apart from tensors. numpy 1 and numpy 2 name their module differently.
INERT_NAMES: tuple[str, ...] = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.ndarray",
    "numpy.dtype",
)

_MALFORMED = (
    pickle.UnpicklingError,
    EOFError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    OSError,
    struct.error,
)
_ASKED_GLOBAL = re.compile(r"GLOBAL (\S+)")
# torch keeps its list of allowed names per process, so two loads must not interleave.
_allow_list_lock = threading.Lock()


class InertValue:
    """Stands for any value that is not wanted. It takes every argument and state, and keeps none."""

    __slots__ = ()

    def __init__(self, *_arguments: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


def load_torch_file(path: Path) -> dict[object, object]:
    """Read the top-level dict of a file written by torch.save; tensors stay on disk (memory-mapped).

    A legacy (non-zip) file cannot be mapped: it is read into memory, with a logged warning.
    Raises RefusedInput, naming the file, when it is missing, empty, truncated, not a torch file,
    not a dict, or asks for any global beyond tensors and INERT_NAMES (the global is named).
    """
    kind = detect_file_type(path)
    if kind is FileType.SAFETENSORS:
        raise RefusedInput(f"{path} is a safetensors file; expected a file written by torch.save.")
    mapped = kind is FileType.TORCH_ZIP
    if not mapped:
        log.warning(
            "%s is in torch's old format, which cannot be memory-mapped: it is read whole (%.1f GB).",
            path,
            path.stat().st_size / 1e9,
        )
    with _only_inert_names():
        if mapped:
            _refuse_other_globals(path)
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except _MALFORMED as error:
            raise RefusedInput(_failure_message(path, error)) from error
    if not isinstance(content, dict):
        raise RefusedInput(
            f"{path} holds a {type(content).__name__}; expected a dict (a state dict, or a checkpoint with one). "
            "Give a checkpoint file."
        )
    return content


@contextmanager
def _only_inert_names() -> Iterator[None]:
    """Allow exactly INERT_NAMES, whatever other code of this process has allowed; restore that afterwards."""
    with _allow_list_lock:
        before = torch.serialization.get_safe_globals()
        own: list[Any] = [(InertValue, name) for name in INERT_NAMES]
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(own)
        try:
            yield
        finally:
            # Modules of torch imported meanwhile may have added names of their own.
            added = [entry for entry in torch.serialization.get_safe_globals() if entry not in own]
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals([*before, *added])


def _refuse_other_globals(path: Path) -> None:
    """List the names a zip file asks for without running it, so that the message can give all of them."""
    try:
        asked = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except _MALFORMED as error:
        raise RefusedInput(_failure_message(path, error)) from error
    if asked:
        raise RefusedInput(_refused_globals_message(path, sorted(asked)))


def _refused_globals_message(path: Path, names: list[str]) -> str:
    return (
        f"{path} wants to run code or build objects on loading: {', '.join(names)}. Expected tensors, plain values "
        "and mmengine's log history only. Nothing was run. Do not load this file with other tools unless you trust "
        "who wrote it; ask for one that holds weights only."
    )


def _failure_message(path: Path, error: BaseException) -> str:
    text = str(error)
    asked = _ASKED_GLOBAL.search(text)
    if asked:
        return _refused_globals_message(path, [asked.group(1)])
    reason = text.strip().splitlines()[0][:200] if text.strip() else type(error).__name__
    return (
        f"{path} cannot be read as a torch checkpoint ({reason}). It is truncated, damaged or of another kind: "
        "copy or download it again and compare the size. It was read in torch's restricted mode, and nothing was run."
    )
