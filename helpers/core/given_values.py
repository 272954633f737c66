"""What people give to a command or a function: paths, and words of which some are known.

Relative paths mean the working directory, as in every shell. Notebooks have no working directory that a reader could
see; there relative paths mean the project root (`helpers.core.paths.resolve`).
"""

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from helpers.core.atomic import require_writable
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.paths import followed

Word = TypeVar("Word", bound=StrEnum)
# How a caller writes the name of a parameter: `batch_size` in Python, `--batch-size` on the command line.
Spelling = Callable[[str], str]
GivenPath = str | os.PathLike[str]


def known_word(words: type[Word], given: str, name: str) -> Word:
    """The member of `words` that is given by its value.

    Args:
        name: of the option or parameter, for the message.
    Raises:
        UsageProblem: where it is none.
    """
    if given not in tuple(words):
        raise UsageProblem(f"{name}: expected {', '.join(words)}, got {given!r}")
    return words(given)


def share(given: float, name: str, of: str) -> float:
    """A share, 0 .. 1, as it is. Raises UsageProblem for a per cent, naming the share that is meant.

    Args:
        of: what it is a share of, such as `the cases`.
    """
    if not 0 <= given <= 1:
        raise UsageProblem(f"{name}: expected a share of {of} from 0 to 1, got {given:g}. 0.1 means 10 %")
    return given


def typed_path(given: GivenPath) -> Path:
    """The path as an absolute one; `~` is the home folder.

    Raises:
        UsageProblem: where it is no UTF-8, which the libraries that read and write below it do not take.
    """
    path = Path.cwd() / Path(given).expanduser()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UsageProblem(
            f"{os.fsencode(path).decode(errors='replace')}: expected a path in UTF-8, found other bytes in it. Rename "
            "that folder, or go through a link of another name"
        ) from error
    return path


def input_path(given: GivenPath, name: str) -> Path:
    """The absolute path of an input.

    Args:
        name: of the option or parameter, for the message.
    Raises:
        UsageProblem: where nothing is there.
    """
    path = typed_path(given)
    if not path.exists():
        raise UsageProblem(f"{name} {given}: expected an existing file or folder, found none at {path}")
    return path


def optional_input_path(given: GivenPath | None, name: str) -> Path | None:
    """`input_path` of an option or parameter that may be left out."""
    return None if given is None else input_path(given, name)


def file_or_none(given: GivenPath | None, name: str) -> Path | str | None:
    """`none` as it is, anything else as `optional_input_path`; a file of that name is given as ./none."""
    return "none" if given == "none" else optional_input_path(given, name)


def preset_or_file(given: str | None, name: str) -> str | None:
    """A preset's name as it is; the name of a JSON file as an absolute path. Raises as `input_path`."""
    return given if given is None or not given.endswith(".json") else str(input_path(given, name))


def output_path(given: GivenPath, name: str, data: GivenPath | None = None) -> Path:
    """The absolute path of something to write; of a symbolic link it is what it points to.

    Args:
        name: of the option or parameter, for the message.
        data: folder or annotation file of the data set that it must not lie in, as given; None where there is none. An
            annotation file names its images, so that nothing beside it is taken for them.
    Raises:
        UsageProblem: where the path lies in the data set's folder, or is a link that leads to nothing.
        RefusedInput: where it cannot be written.
    """
    path = followed(typed_path(given))
    root = None if data is None else typed_path(data)
    if root is not None and root.is_dir() and path.resolve().is_relative_to(root.resolve()):
        raise UsageProblem(
            f"{name} {given}: expected a place outside the data set {data}, got one inside it; "
            "the data set would read what is written there as frames. Name another folder"
        )
    require_writable(path)
    return path


def output_folder(given: GivenPath, name: str, data: GivenPath | None = None) -> Path:
    """`output_path` of a folder. Raises as that, and RefusedInput where it is a file."""
    path = output_path(given, name, data)
    if path.exists() and not path.is_dir():
        raise RefusedInput(f"{name} {given}: expected a folder to write, found a file. Name another one")
    return path
