"""The files under a data set's root, without those that links would bring in from outside."""

import os
from collections.abc import Iterable
from pathlib import Path

from helpers.errors import RefusedInput
from helpers.images.reading import natural_key

__all__ = ["files_under"]


def files_under(root: Path) -> tuple[tuple[str, ...], int]:
    """The regular files below `root`, as paths relative to it with '/', in natural order; and how many links were left.

    Hidden files and folders are passed over. A link to a file inside `root` counts as a file; one that leads out of it,
    and every link to a folder, is left out and counted. Raises `RefusedInput` where `root` is no folder.
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
