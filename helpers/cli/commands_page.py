"""Writes docs/cli.md from the registry and the app: `python -m helpers.cli.commands_page`.

The text is laid out here, not by the terminal, so that it is the same on every machine.
"""

from enum import Enum
from pathlib import Path
from typing import Any

import typer

from helpers.cli.app import EXIT_CODES, app
from helpers.cli.registry import COMMANDS, Command
from helpers.core.atomic import write_text_atomic
from helpers.core.tables import markdown_table

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"

_INTRODUCTION = """\
# Commands

Written by `make docs` from the code; a test compares.

Relative paths mean the working directory, as in every shell. (In notebooks they mean the project root.)

An output that is a symbolic link is written where the link leads; one that leads to nothing is refused before the work,
as is a file of another kind than the one that the command writes.

`vesselkit --debug COMMAND ...` shows where an error arose.
"""


def reference_text() -> str:
    """The whole of docs/cli.md."""
    return "\n".join([_INTRODUCTION, _exit_codes(), _overview(), *(_section(found) for found in COMMANDS)])


def parameters(name: str) -> tuple[Any, ...]:
    """The parameters of a command as Typer holds them, `--help` left out; KeyError for an unknown one."""
    found: Any = typer.main.get_command(app)
    for word in name.split():
        found = found.commands[word]
    return tuple(found.params)


def _exit_codes() -> str:
    return "## Exit codes\n\n" + markdown_table(
        ("code", "meaning"), ((str(code), text) for code, text in EXIT_CODES.items())
    )


def _overview() -> str:
    rows = ((f"`{found.name}`", found.summary) for found in COMMANDS)
    return "## All commands\n\n" + markdown_table(("command", "what it does"), rows)


def _section(found: Command) -> str:
    rows = (
        (f"`{_label(parameter)}`", "required" if parameter.required else _default(parameter), parameter.help)
        for parameter in parameters(found.name)
    )
    head = f"## vesselkit {found.name}\n\n{found.summary}\n\n```\n{found.usage}\n```\n\n"
    return head + markdown_table(("option", "default", "meaning"), rows)


def _label(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return parameter.metavar
    return " ".join(filter(None, (parameter.opts[0], parameter.metavar)))


def _default(parameter: Any) -> str:
    value = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    return "" if value is None or value is False else f"`{value}`"


if __name__ == "__main__":
    write_text_atomic(REFERENCE, reference_text())
