"""Validate the parameters of a notebook against a pydantic model, before any work."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from helpers.core import paths
from helpers.core.errors import UsageProblem

NOT_GIVEN = "not_given"  # type of a pydantic error about a value that is needed and empty

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], values: Mapping[str, Any]) -> Model:
    """An instance of `model` from a notebook's parameters, or one UsageProblem that lists all that is wrong with them.

    Types are strict: '0.3' is no float, 1 is no bool (an int is taken for a float). Strings for fields of type Path
    are taken as paths, relative ones from the project root. Declare inputs that must exist as pydantic's `FilePath`
    or `DirectoryPath`, outputs as `Path`. Unknown names are refused whatever the model's own configuration says.
    """
    refuse_withheld(values)
    known = list(model.model_fields)
    problems = unknown_names(values, known)
    resolved = {
        name: _as_path(value) if _takes_path(model.model_fields[name].annotation) else value
        for name, value in values.items()
        if name in model.model_fields
    }
    try:
        validated = model.model_validate(resolved, strict=True)
    except ValidationError as error:
        problems += [_describe(found) for found in error.errors()]
    if problems:
        raise UsageProblem("parameters refused:\n" + "\n".join(f"  {problem}" for problem in problems))
    return validated


def placeholder(name: str) -> str:
    """What stands in an executed copy for a path that was given as this parameter."""
    return f"<{name}>"


def refuse_withheld(values: Mapping[str, Any]) -> None:
    """Raise UsageProblem where values hold the placeholders of an executed copy."""
    all_of_them = set(map(placeholder, values))  # a path that was given twice has one of them in both places
    withheld = [name for name, value in values.items() if all_of_them.intersection(texts_in(value))]
    if withheld:
        raise UsageProblem(
            f"parameters refused:\n  {', '.join(withheld)}: given as a path, which an executed copy does not keep. "
            "Give it again in place of what stands in <>, or with -p"
        )


def unknown_names(given: Mapping[str, Any], known: list[str]) -> list[str]:
    """A line for each name in `given` that is not in `known`, with the nearest known name."""
    lines = []
    for name in given:
        if name in known:
            continue
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"expected one of {', '.join(known) or 'none'}"
        lines.append(f"{name}: unknown parameter, {hint}")
    return lines


def texts_in(value: Any) -> Iterator[str]:
    """Every text of a parameter's value, also inside lists and the values of dicts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)


def _takes_path(annotation: Any) -> bool:
    """Whether `annotation` is Path, or holds it (Path | None, list[Path], FilePath)."""
    return annotation is Path or any(_takes_path(argument) for argument in get_args(annotation))


def _as_path(value: Any) -> Any:
    """Strings and paths from the project root, also inside a list; anything else unchanged, for pydantic to refuse."""
    if isinstance(value, str):
        return paths.resolve(Path(value)) if value else value
    if isinstance(value, Path):
        return paths.resolve(value)
    return [_as_path(item) for item in value] if isinstance(value, list) else value


def _describe(found: Mapping[str, Any]) -> str:
    """One pydantic error as a line: where, what was expected, what came."""
    place = ".".join(str(part) for part in found["loc"]) or "parameters"
    if found["type"] == "missing":
        return f"{place}: missing; give it a value"
    if found["type"] == NOT_GIVEN:
        return f"{place}: {found['msg']}"
    value = found["input"]
    shown = str(value) if isinstance(value, Path) else repr(value)
    message = found["msg"].removeprefix("Value error, ")
    return f"{place}: {message}; got {shown} ({type(value).__name__})"
