"""Paths typed on the command line: relative ones mean the working directory, as in every shell.

Notebooks have no working directory that a reader could see; there relative paths mean the project root
(`helpers.paths.resolve`).
"""

import os
from pathlib import Path

from helpers.errors import UsageProblem


def typed_path(given: Path) -> Path:
    """The path as an absolute one; `~` is the home folder.

    Raises:
        UsageProblem: where it is no UTF-8, which the libraries that read and write below it do not take.
    """
    path = Path.cwd() / given.expanduser()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UsageProblem(
            f"{os.fsencode(path).decode(errors='replace')}: expected a path in UTF-8, found other bytes in it. Rename "
            "that folder, or go through a link of another name"
        ) from error
    return path


def input_path(given: Path, option: str) -> Path:
    """The absolute path of an input.

    Args:
        given: as typed.
        option: its name, for the message.
    Raises:
        UsageProblem: where nothing is there.
    """
    path = typed_path(given)
    if not path.exists():
        raise UsageProblem(f"{option} {given}: expected an existing file or folder, found none at {path}")
    return path


def optional_input_path(given: Path | None, option: str) -> Path | None:
    """`input_path` of an option that may be left out."""
    return None if given is None else input_path(given, option)


def output_path(given: Path, option: str, data: Path) -> Path:
    """The absolute path of an output that must not lie in a data set.

    Args:
        given: as typed.
        option: its name, for the message.
        data: folder or annotation file of the data set, as typed. An annotation file names its images, so that nothing
            beside it is taken for them.
    Raises:
        UsageProblem: where the path lies in the data set's folder.
    """
    path, root = typed_path(given), typed_path(data)
    if root.is_dir() and path.resolve().is_relative_to(root.resolve()):
        raise UsageProblem(
            f"{option} {given}: expected a place outside the data set {data}, got one inside it; what is written there "
            "would be taken for frames when the data set is next opened. Name another folder"
        )
    return path
