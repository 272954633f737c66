"""Writing that is complete or absent."""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from helpers.errors import RefusedInput
from helpers.paths import PARTIAL_PREFIX

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """Build a folder in a temporary sibling that takes the target's name only when the block ends well.

    On any exception, an interrupt included, the sibling is removed and the exception goes on.

    Raises:
        RefusedInput: before the block, where the target exists and is not an empty folder, or its parent cannot be
            written; after it, where the disk is full.
    """
    target = Path(target)
    _refuse_taken(target)
    made = [parent for parent in target.parents if not parent.exists()]
    partial = _partial_path(target)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise RefusedInput(f"{target.parent}: cannot be written ({error.strerror}); name another folder") from error
    try:
        yield partial
        for path in (*partial.rglob("*"), partial):
            flush(path)
        _refuse_taken(target)
        if target.exists():
            target.rmdir()
        os.replace(partial, target)
        flush(target.parent)
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise RefusedInput(
                f"{target.parent}: the disk became full; nothing was kept. Free some space and run again"
            ) from error
        raise
    finally:
        if partial.exists():
            shutil.rmtree(partial)
        if not target.exists():
            _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for nothing, innermost first."""
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write a file that is never seen half-written; an earlier one of that name is replaced."""
    _write(path, content, lambda file: os.fsync(file.fileno()))


def write_bytes_whole(path: Path, content: bytes) -> None:
    """`write_bytes_atomic` without waiting for the disk: where the machine itself fails, the file may be cut."""
    _write(path, content, lambda file: None)


def _write(path: Path, content: bytes, settle: Callable[[IO[bytes]], None]) -> None:
    partial = _partial_path(path)
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            settle(file)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text_atomic(path: Path, text: str) -> None:
    """`write_bytes_atomic` of UTF-8 text."""
    write_bytes_atomic(path, text.encode())


def write_json_atomic(path: Path, value: Any) -> None:
    """`write_text_atomic` of a JSON value; NaN and infinity, which JSON lacks, raise ValueError."""
    write_text_atomic(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def require_free_space(folder: Path, needed: int, what: str) -> None:
    """Stop before a long write that cannot end.

    Args:
        folder: where it will be written; where it does not exist yet, its nearest existing parent is asked. A folder
            that `partial_folder` gave is named by its parent in the message.
        needed: bytes.
        what: for the message, such as "the exported weights".
    Raises:
        RefusedInput: with both numbers.
    """
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        named = folder.parent if folder.name.startswith(PARTIAL_PREFIX) else folder
        raise RefusedInput(
            f"{named}: {what} needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; free some space or name "
            "another folder"
        )


def _partial_path(target: Path) -> Path:
    return target.with_name(f"{PARTIAL_PREFIX}{target.name}-{secrets.token_hex(4)}")


def _refuse_taken(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RefusedInput(f"{target}: exists already; name a new folder, or move this one away")


def flush(path: Path) -> None:
    """Ask the system to put a file or folder on the disk, where a read-only handle can (not on Windows)."""
    if os.name == "nt" or path.is_symlink():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
