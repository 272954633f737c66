"""Writing that is complete or absent."""

import contextlib
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from helpers.core.errors import DISK_FULL, RefusedInput, in_words
from helpers.core.paths import PARTIAL_PREFIX, followed

_log = logging.getLogger(__name__)


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """Build a folder in a temporary sibling that takes the target's name only when the block ends well.

    On any exception, an interrupt included, the sibling is removed and the exception goes on. What a killed process
    left of the same target is logged: whether another one is still writing it cannot be seen from here.

    Raises:
        UsageProblem: before the block, where the target is a symbolic link that leads to nothing.
        RefusedInput: before the block, where the target exists and is not an empty folder, or its parent cannot be
            written; after it, where the disk is full.
    """
    target = followed(Path(target))
    require_new(target)
    with _built(target, _take_free_name) as partial:
        yield partial


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """As `partial_folder`, but for an earlier folder of that name, which the new one replaces when the block ends well.

    Whether the earlier one may go is for the caller to check.
    """
    with _built(followed(Path(target)), _replace) as partial:
        yield partial


@contextmanager
def _built(target: Path, place: Callable[[Path, Path], None]) -> Iterator[Path]:
    """A folder that `place` gives the target's name when the block ends well, see `partial_folder`."""
    made = [parent for parent in target.parents if not parent.exists()]
    partial = _partial_path(target)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise _not_writable(target.parent, error) from error
    _tell_of_leftovers(target, partial)
    try:
        yield partial
        for path in (*partial.rglob("*"), partial):
            flush(path)
        place(partial, target)
        flush(target.parent)
    except OSError as error:
        words = in_words(error)
        if words is not None and error.errno in DISK_FULL:
            raise RefusedInput(
                f"{target.parent}: the disk became full; nothing was kept. {words.advice} and run again"
            ) from error
        raise
    finally:
        if partial.exists():
            shutil.rmtree(partial)
        if not target.exists():
            _remove_empty(made)


def _take_free_name(fresh: Path, target: Path) -> None:
    require_new(target)
    if target.exists():
        target.rmdir()
    os.replace(fresh, target)


def _replace(fresh: Path, target: Path) -> None:
    """Put a folder in the place of an earlier one, if any, which is removed last: one of the two is always there."""
    aside = _partial_path(target)
    had_one = target.exists()
    if had_one:
        os.replace(target, aside)
    try:
        os.replace(fresh, target)
    except OSError:
        if had_one:
            os.replace(aside, target)
        raise
    if had_one:
        shutil.rmtree(aside)


def require_writable(target: Path) -> None:
    """Stop before long work whose result cannot be written; nothing is left behind.

    Args:
        target: file or folder that will be written, in a folder that need not exist yet.
    Raises:
        UsageProblem: where the target is a symbolic link that leads to nothing.
        RefusedInput: naming the folder, and why.
    """
    existing = _nearest_existing(followed(target.absolute()).parent)
    probe = _partial_path(existing / "probe")
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise _not_writable(existing, error) from error


def _not_writable(folder: Path, error: OSError) -> RefusedInput:
    return RefusedInput(f"{folder}: cannot be written ({error.strerror}); name another folder")


def _tell_of_leftovers(target: Path, own: Path) -> None:
    """Log what earlier processes left of a target: of a model, as much as the model."""
    ours = re.compile(re.escape(f"{PARTIAL_PREFIX}{target.name}-") + r"[0-9a-f]{8}")
    for path in sorted(target.parent.glob(f"{PARTIAL_PREFIX}*")):
        if path == own or not ours.fullmatch(path.name):
            continue
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        _log.warning(
            "%s (%.1f GB) was left by a process that was killed, or another process is writing it now. Remove it where "
            "none is",
            path,
            size / 1e9,
        )


def _nearest_existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


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
    path = followed(path) if path.is_symlink() else path
    partial = _partial_path(path)
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            settle(file)
        os.replace(partial, path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # as of a disk that is away; what went wrong first is to be told
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)
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
    free = shutil.disk_usage(_nearest_existing(folder.absolute())).free
    if free < needed:
        named = folder.parent if folder.name.startswith(PARTIAL_PREFIX) else folder
        raise RefusedInput(
            f"{named}: {what} needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; free some space or name "
            "another folder"
        )


def _partial_path(target: Path) -> Path:
    return target.with_name(f"{PARTIAL_PREFIX}{target.name}-{secrets.token_hex(4)}")


def require_new(target: Path) -> None:
    """Raise RefusedInput where a folder that is to be made exists and holds something, or is a file."""
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
