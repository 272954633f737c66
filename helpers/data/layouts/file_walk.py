"""The files under a data set's root, and paths out of its own files, followed only inside the data set."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from helpers.core.errors import RefusedInput
from helpers.data.frames.image_reading import natural_key

_DRIVE = re.compile(r"^[A-Za-z]:")
__all__ = ["files_under"]


def files_under(root: Path) -> tuple[tuple[str, ...], int]:
    """The regular files below `root`, as paths relative to it with '/', in natural order; and how many links were left.

    Skips hidden files and folders. A link to a file inside `root` counts as a file; one that leads out of it,
    and every link to a folder, is left out and counted. Raises `RefusedInput` where `root` is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise RefusedInput(f"{root}: expected a folder, found none. Check the path")
    inside = root.resolve()
    names, links = [], 0
    for folder, folders, files in os.walk(root):
        links += sum(os.path.islink(os.path.join(folder, name)) for name in _visible(folders))
        folders[:] = _visible(folders)
        for name in _visible(files):
            path = Path(folder, name)
            if not path.resolve().is_relative_to(inside):
                links += 1
            elif path.is_file():
                names.append(path.relative_to(root).as_posix())
    return tuple(sorted(names, key=natural_key)), links


def _visible(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith(".")]


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
        raise UnsafePath(given, "the path is absolute, and so of one machine: write it relative to the annotation file")
    parts = [part for part in plain.split("/") if part not in {"", "."}]
    if ".." in parts or "~" in parts[:1]:
        raise UnsafePath(given, "the path holds '..' or '~'")
    if not parts:
        raise UnsafePath(given, "expected a relative path, found an empty one or no text")
    path = Path(root).joinpath(*parts)
    if not leads_inside(root, path):
        raise UnsafePath(given, "a link leads out of the data set, or in a circle")
    return path


def links_notes(root: Path) -> list[str]:
    """What is to be said of folders below `root` that are links out of it, which no reader follows; nothing without."""
    found = []
    for folder, folders, _ in os.walk(root):
        folders[:] = sorted(_visible(folders))
        links = (Path(folder, name) for name in folders if os.path.islink(os.path.join(folder, name)))
        found += [f"{path.relative_to(root).as_posix()}/" for path in links if not leads_inside(root, path)]
    named = ", ".join(found[:3]) + (" and more" if len(found) > 3 else "")
    said = f"not followed, being links out of the data set: {named}; name the real folder, or copy its files in"
    return [said] if found else []


def leads_upwards(path: Path) -> bool:
    """Whether `path` is a link to a folder that it lies in, so that who follows it comes back in a circle."""
    return path.is_symlink() and Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(path))


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
