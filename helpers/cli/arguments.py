"""Paths typed on the command line."""

from pathlib import Path

from helpers.errors import UsageProblem
from helpers.paths import project_root, resolve


def input_path(given: Path, option: str) -> Path:
    """The path of an input, a relative one taken from the project root.

    Args:
        given: as typed.
        option: its name, for the message.
    Raises:
        UsageProblem: where nothing is there; the message says so if the working directory has a file of that name.
    """
    path = resolve(given)
    if path.exists():
        return path
    message = f"{option} {given}: expected an existing file or folder, found none at {path}"
    here = Path.cwd() / given
    if here != path and here.exists():
        message += f". Relative paths mean the project root, {project_root()}; there is one here: give it as {here}"
    raise UsageProblem(message)


def optional_input_path(given: Path | None, option: str) -> Path | None:
    """`input_path` of an option that may be left out."""
    return None if given is None else input_path(given, option)
