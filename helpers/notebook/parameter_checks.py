"""What the values of notebooks' parameters must be: functions for the types of `settings`, each with one refusal."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from helpers.core import paths
from helpers.core.errors import UsageProblem
from helpers.data.truth.other_frame import parse_size
from helpers.notebook.parameters import NOT_GIVEN
from helpers.prediction.ensemble import parse_ensemble
from helpers.prediction.predictor import check_prompt

_DEVICE = r"auto|cpu|mps|cuda(:\d+)?"


def none_if_empty(value: Any) -> Any:
    """None for an empty text."""
    return None if value == "" else value


def none_if_zero(value: Any) -> Any:
    """None for the number 0; False is left for the type check to refuse."""
    return None if value == 0 and not isinstance(value, bool) else value


def needed(advice: str) -> BeforeValidator:
    """Refuses an empty text, with what to do."""

    def check(value: Any) -> Any:
        if value == "":
            raise PydanticCustomError(NOT_GIVEN, f"needed; {advice}")
        return value

    return BeforeValidator(check)


def one_of(words: type[StrEnum]) -> tuple[Any, ...]:
    """What makes a text one of these words, and says so in the parameters' table."""
    names: list[Any] = [str(word) for word in words]
    shown = [repr(name) for name in names]

    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"expected {', '.join(shown[:-1])} or {shown[-1]}")
        return value

    return AfterValidator(check), Field(json_schema_extra={"enum": names})


def existing(path: Path) -> Path:
    """A path at which something is. Raises ValueError for another."""
    if not path.exists():
        raise ValueError("expected an existing file or folder, found none; check the path")
    return path


def existing_if_given(path: Path | None) -> Path | None:
    """The same; None for None."""
    return None if path is None else existing(path)


def plain(name: str | None) -> str | None:
    """A name without folders. Raises ValueError for another; None for None."""
    if name is None:
        return None
    try:
        return paths.plain_name(name, "name")
    except UsageProblem as error:
        raise ValueError(str(error)) from error


def project(name: str) -> str:
    """A plain name under `outputs`, or the path of a folder for all results."""
    return name if paths.is_path(name) else str(plain(name))


def sizes_file(value: str | None) -> str | None:
    """A preset's name as it is, a JSON file as an absolute path."""
    if value is None or not (value.endswith(".json") or re.search(r"[/\\]", value)):
        return value
    return str(existing(paths.resolve(value)))


def file_or_none(value: str | None) -> Path | str | None:
    """`none` as it is, anything else as an absolute path."""
    return value if value in (None, "none") else existing(paths.resolve(value))


def checked_size(value: str | None) -> str | None:
    """A size such as `800x800`. Raises ValueError for another; None for None."""
    if value is not None:
        try:
            parse_size(value)
        except UsageProblem as error:
            raise ValueError("expected WIDTHxHEIGHT in pixels, such as 800x800") from error
    return value


@contextmanager
def _refused_as(name: str) -> Iterator[None]:
    """Refusals as the types tell them, which name the parameter themselves."""
    try:
        yield
    except UsageProblem as error:
        raise ValueError(str(error).removeprefix(f"{name}: ")) from error


def checked_prompt(value: str) -> str:
    """A prompt that a model can answer. Raises ValueError for another."""
    with _refused_as("prompt"):
        check_prompt(value)
    return value


def checked_ensemble(value: str | None) -> str | None:
    """Kinds of members such as `flips,prompts`; None for none. Raises ValueError for other words."""
    with _refused_as("ensemble"):
        return value if parse_ensemble(value) else None


def checked_device(value: str) -> str:
    """The name of a device. Raises ValueError for another."""
    if not re.fullmatch(_DEVICE, value):
        raise ValueError("expected auto, cpu, cuda, cuda:N or mps")
    return value
