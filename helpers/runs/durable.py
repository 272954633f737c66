"""Writing into a run folder: whole or absent, on the disk before the next file, equal bytes for equal content."""

import json
import os
from pathlib import Path
from typing import Any

from helpers.atomic import write_bytes_atomic


def write_durable(path: Path, content: bytes) -> None:
    """Write a file whole, and its name too, to the disk; folders are made as needed.

    Raises:
        OSError: where it cannot be written; nothing half-written keeps the name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(path, content)
    # The file's name is in its folder, and a new folder's name in the one above.
    for folder in (path.parent, path.parent.parent):
        _flush(folder)


def json_bytes(values: Any) -> bytes:
    """A JSON value with sorted keys, UTF-8. NaN and infinity, which JSON lacks, raise ValueError."""
    return (json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _flush(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
