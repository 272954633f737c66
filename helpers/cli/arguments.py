"""Paths typed on the command line: relative ones mean the working directory, as in every shell.

Notebooks have no working directory that a reader could see; there relative paths mean the project root
(`helpers.core.paths.resolve`).
"""

import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.core.atomic import require_new, require_writable
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.paths import followed


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


def output_folder(given: Path, option: str, data: Path | None = None) -> Path:
    """The absolute path of a folder to write.

    Of a symbolic link it is the folder that it points to, see `helpers.core.paths.followed`.

    Args:
        given: as typed.
        option: its name, for the message.
        data: folder or annotation file of the data set that it must not lie in, as typed; None where there is none. An
            annotation file names its images, so that nothing beside it is taken for them.
    Raises:
        UsageProblem: where the path lies in the data set's folder, or is a link that leads to nothing.
        RefusedInput: where it is a file, or cannot be written.
    """
    path = _output(given, option, data)
    if path.exists() and not path.is_dir():
        raise RefusedInput(f"{option} {given}: expected a folder to write, found a file. Name another one")
    return path


def new_folder(given: Path, option: str, data: Path | None = None) -> Path:
    """`output_folder` of one that must be new or empty, which is refused before any work. Raises as that."""
    path = output_folder(given, option, data)
    require_new(path)
    return path


@dataclass(frozen=True)
class Earlier:
    """What a file may be that a command writes over.

    Attributes:
        name: for the message, such as `a baseline of the gate`.
        is_one: whether content is such a file's.
    """

    name: str
    is_one: Callable[[bytes], bool]


def json_with(name: str, *keys: str, schema: str | None = None) -> Earlier:
    """A JSON object with these keys, and with this `schema` where one is given."""

    def is_one(content: bytes) -> bool:
        try:
            found = json.loads(content)
        except ValueError:
            return False
        return isinstance(found, dict) and set(keys) <= set(found) and schema in (None, found.get("schema"))

    return Earlier(name, is_one)


def require_replaceable(folder: Path, option: str, file: str, earlier: Earlier) -> None:
    """Refuse a folder in which other files than this command's could be written over.

    Args:
        folder: to write to, which need not exist.
        option: its name, for the message.
        file: the name of a file that the command always writes.
        earlier: what that file holds where the folder is the command's own.
    Raises:
        RefusedInput: where the folder holds files, and that one is missing or another's.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    mark = folder / file
    if not mark.is_file() or not earlier.is_one(mark.read_bytes()):
        raise RefusedInput(
            f"{option} {folder}: expected a new or empty folder, or {earlier.name} to replace, found other files. Name "
            "another folder"
        )


def output_file(given: Path, option: str, earlier: Earlier, data: Path | None = None) -> Path:
    """The absolute path of a file to write.

    Args:
        given, option, data: as for `output_folder`.
        earlier: what may be written over; an empty file may, too.
    Raises:
        UsageProblem: as `output_folder`.
        RefusedInput: where it is a folder or a file of another kind, or cannot be written.
    """
    path = _output(given, option, data)
    if path.is_dir():
        raise RefusedInput(f"{option} {given}: expected a file to write, found a folder. Name a file in it")
    if path.exists():
        content = path.read_bytes() if path.is_file() else None  # a pipe would wait for its writer
        if content != b"" and (content is None or not earlier.is_one(content)):
            raise RefusedInput(
                f"{option} {given}: expected a new file, or {earlier.name} to replace, found another file. Name "
                "another one, or move this one away"
            )
    return path


def _output(given: Path, option: str, data: Path | None) -> Path:
    path = followed(typed_path(given))
    root = None if data is None else typed_path(data)
    if root is not None and root.is_dir() and path.resolve().is_relative_to(root.resolve()):
        raise UsageProblem(
            f"{option} {given}: expected a place outside the data set {data}, got one inside it; what is written there "
            "would be taken for frames when the data set is next opened. Name another folder"
        )
    require_writable(path)
    return path


def next_text(words: Sequence[str]) -> str:
    """`next: vesselkit ...`; what a shell would take apart is quoted."""
    return f"next: {shlex.join(['vesselkit', *words])}"


def option_words(options: Mapping[str, Any]) -> list[str]:
    """Options as they are typed.

    Args:
        options: by name, with `_` or `-`; None and False were not given, True has no value, of a list each item is
            given by itself.
    """
    words = []
    for name, value in options.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if one is not None and one is not False:
                words += [f"--{name.replace('_', '-')}", *([] if one is True else [str(one)])]
    return words


def data_words(data: Path, options: Mapping[str, Any]) -> list[str]:
    """How the data set was opened, as options.

    Args:
        options: fields of `Opening`, as for `option_words`.
    """
    return ["--data", str(data), *option_words(options)]


def next_steps(run: Path, data: Path, options: Mapping[str, Any], *, scores: bool) -> str:
    """The commands that go on from a finished run.

    Args:
        options: as for `data_words`.
        scores: whether there is ground truth.
    """
    shared = [*data_words(data, options), "--output"]
    look = next_text(["visualize", str(run), *shared, f"{run}-pictures"])
    score = next_text(["evaluate", "--predictions", str(run), *shared, f"{run}-scores"])
    return f"{look}\n{score}" if scores else look
