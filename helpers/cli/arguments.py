"""What is typed on the command line: files and folders to write over, and the words of the next command."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.core.atomic import require_new
from helpers.core.errors import RefusedInput
from helpers.core.given_values import (
    file_or_none,
    input_path,
    optional_input_path,
    output_folder,
    output_path,
    preset_or_file,
    typed_path,
)

__all__ = [
    "Earlier",
    "data_words",
    "file_or_none",
    "input_path",
    "json_with",
    "new_folder",
    "next_steps",
    "next_text",
    "option_name",
    "option_words",
    "optional_input_path",
    "output_file",
    "output_folder",
    "preset_or_file",
    "require_replaceable",
    "typed_path",
]


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
    path = output_path(given, option, data)
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


def next_text(words: Sequence[str]) -> str:
    """`next: vesselkit ...`; what a shell would take apart is quoted."""
    return f"next: {shlex.join(['vesselkit', *words])}"


def option_name(parameter: str) -> str:
    """How the command line writes the name of a parameter."""
    return f"--{parameter.replace('_', '-')}"


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
                words += [option_name(name), *([] if one is True else [str(one)])]
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
