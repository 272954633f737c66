"""Writing into a run folder: whole or absent, on the disk when it matters, equal bytes for equal content."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from helpers.core.atomic import flush, write_bytes_atomic, write_bytes_whole

# How a JSON object ends as `json_bytes` writes it, and its last entry.
_END = b"\n}\n"
_SEAL = b',\n "sha256": "%s"'
_THREADS = 16  # that ask for files to be on the disk; each mostly waits


def write_durable(path: Path, content: bytes) -> None:
    """Write a file whole, and its name too, to the disk; folders are made as needed.

    Raises:
        OSError: where it cannot be written; nothing half-written keeps the name.
    """
    folder = path.parent
    named_in = {folder, *(above.parent for above in (folder, *folder.parents) if not above.exists())}
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(path, content)
    for one in named_in:
        flush(one)


def fsync_all(root: Path, paths: Iterable[Path], folders: Iterable[Path] = ()) -> None:
    """Put files that `write_soon` wrote below a folder, and their names, on the disk. Returns once they are there.

    Args:
        folders: below `root`, whose files are there already, and whose names may not be.
    Raises:
        OSError: where one cannot be read back or written.
    """
    files = set(paths)
    inner = {*(path.parent for path in files), *folders}
    above = {folder for parent in inner for folder in (parent, *parent.parents) if folder.is_relative_to(root)}
    unsettled = [*files, *above]
    # One share for each thread: a task for every file takes longer than the file does on a fast disk.
    shares = (unsettled[start::_THREADS] for start in range(_THREADS))
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(flush_each, shares):
            pass


def write_soon(path: Path, content: bytes) -> None:
    """Write a file whole without waiting for the disk; folders are made as needed.

    Where the machine itself fails before the system has written it, the file may be cut or missing: what is read from
    it must be checked by a digest, or be such that the run can do without.

    Raises:
        OSError: as `write_durable`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_whole(path, content)


def json_bytes(values: Any) -> bytes:
    """A JSON value with sorted keys, UTF-8. NaN and infinity, which JSON lacks, raise ValueError."""
    return (json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def flush_each(paths: Iterable[Path]) -> None:
    """Put files and folders on the disk, one after the other. Raises OSError as `fsync_all`."""
    for path in paths:
        flush(path)


def sealed(values: Mapping[str, Any]) -> bytes:
    """A JSON object, at least one field and none named `sha256`, with its seal."""
    content = json_bytes(values)
    return content.removesuffix(_END) + _SEAL % hashlib.sha256(content).hexdigest().encode() + _END


def unsealed(content: bytes) -> bytes:
    """The JSON of a sealed object without its seal. Raises ValueError where that does not fit."""
    seal = len(_SEAL % bytes(64)) + len(_END)
    inner = content[:-seal] + _END
    if content != inner.removesuffix(_END) + _SEAL % hashlib.sha256(inner).hexdigest().encode() + _END:
        raise ValueError("changed since it was written")
    return inner
