"""Writing into a run folder: whole or absent, on the disk before the next file, equal bytes for equal content."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.atomic import flush, write_bytes_atomic, write_bytes_whole


def write_durable(path: Path, content: bytes) -> None:
    """Write a file whole, and its name too, to the disk; folders are made as needed.

    Raises:
        OSError: where it cannot be written; nothing half-written keeps the name.
    """
    made = make_folder(path.parent)
    write_bytes_atomic(path, content)
    for folder in {path.parent, *made}:
        flush(folder)


def write_durable_together(contents: Mapping[Path, bytes]) -> None:
    """Write files whole; all of them, and their names, are on the disk when this returns.

    The disk is waited for once all are written, which takes a fraction of the time. Where the machine itself fails
    before this returns, a file may be cut: what vouches for the files must hold their digests.

    Raises:
        OSError: as `write_durable`.
    """
    folders = set()
    for path, content in contents.items():
        folders |= {path.parent, *make_folder(path.parent)}
        write_bytes_whole(path, content)
    for path in [*contents, *folders]:
        flush(path)


def make_folder(folder: Path) -> list[Path]:
    """Make a folder, and those above it, where they are missing; the folders that got a new name in them."""
    holders = []
    missing = folder
    while not missing.is_dir():
        holders.append(missing.parent)
        missing = missing.parent
    if holders:
        folder.mkdir(parents=True, exist_ok=True)
    return holders


def write_note(path: Path, content: bytes) -> None:
    """Write a file whole that the run can do without: the disk is not waited for.

    Raises:
        OSError: as `write_durable`.
    """
    make_folder(path.parent)
    write_bytes_whole(path, content)


def json_bytes(values: Any) -> bytes:
    """A JSON value with sorted keys, UTF-8. NaN and infinity, which JSON lacks, raise ValueError."""
    return (json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()
