"""Paths that come out of a data set's own files: followed only inside the data set."""

import os
import re
from pathlib import Path

from helpers.errors import RefusedInput

_DRIVE = re.compile(r"^[A-Za-z]:")


class UnsafePath(RefusedInput):
    """A path was refused. `reason` says why, without the path, which may hold a patient's name."""

    def __init__(self, given: str, reason: str) -> None:
        super().__init__(f"{given!r}: {reason}. Write it relative to the data set's folder, and keep it inside")
        self.reason = reason


def inside(root: Path, given: str) -> Path:
    """The file that `given` names below `root`; it need not exist. Backslashes count as '/'.

    Args:
        root: folder of the data set.
        given: relative path as an annotation file states it.
    Returns:
        `root` joined with it, links not resolved.
    Raises:
        UnsafePath: where it is empty, no text, absolute, on a Windows drive, holds `..` or a NUL or another control
            character, or leads out of the root through a link.
    """
    if not isinstance(given, str) or not given.strip():
        raise UnsafePath(str(given)[:80], "expected a relative path, found an empty one or no text")
    if any(ord(character) < 32 for character in given):
        raise UnsafePath(given, "the path holds a control character")
    plain = given.replace("\\", "/")
    if plain.startswith("/") or _DRIVE.match(plain):
        raise UnsafePath(given, "the path is absolute")
    parts = [part for part in plain.split("/") if part not in {"", "."}]
    if ".." in parts or "~" in parts[:1]:
        raise UnsafePath(given, "the path holds '..' or '~'")
    if not parts:
        raise UnsafePath(given, "expected a relative path, found an empty one or no text")
    path = Path(root).joinpath(*parts)
    if not leads_inside(root, path):
        raise UnsafePath(given, "a link leads out of the data set, or in a circle")
    return path


def leads_inside(root: Path, path: Path) -> bool:
    """Whether `path`, with every link followed, stays in `root`."""
    try:
        real = os.path.realpath(path)
        os.stat(real)
    except FileNotFoundError:
        pass
    except (OSError, ValueError):  # a circle of links, or a name too long for this system
        return False
    return Path(real).is_relative_to(os.path.realpath(root))
