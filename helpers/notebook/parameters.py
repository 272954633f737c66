"""The parameters of a notebook: those that it declares, and their check against a pydantic model before any work.

They are read without the libraries that run notebooks, which are slow to load.
"""

import ast
import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from helpers.core import paths
from helpers.core.errors import RefusedInput, UsageProblem

NOT_GIVEN = "not_given"  # type of a pydantic error about a value that is needed and empty

Model = TypeVar("Model", bound=BaseModel)

FIRST_TAG = "first-parameters"  # of a cell above that one, for what is needed most
PARAMETERS_TAG = "parameters"
PARAMETER_TAGS = frozenset({FIRST_TAG, PARAMETERS_TAG})
INJECTED_TAG = "injected-parameters"  # of papermill's, behind the first cell tagged `parameters`

NOTEBOOK_FORMAT = 4  # of nbformat, in which all notebooks are read and written


def validate(model: type[Model], values: Mapping[str, Any]) -> Model:
    """An instance of `model` from a notebook's parameters, or one UsageProblem that lists all that is wrong with them.

    Types are strict: '0.3' is not a float, 1 is not a bool; an int passes for a float. Strings for fields of type Path
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
            "Give it again instead of the text in <>, or with -p"
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


def read_notebook(notebook: Path) -> dict[str, Any]:
    """The JSON of a notebook.

    Raises:
        UsageProblem: where there is none.
        RefusedInput: for anything but a notebook of format 4.
    """
    if not notebook.is_file():
        raise UsageProblem(f"{notebook}: expected a notebook, found none. Check the path")
    try:
        node = json.loads(notebook.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RefusedInput(f"{notebook}: not readable as a notebook ({error}). Restore the file") from error
    if not isinstance(node, dict) or node.get("nbformat") != NOTEBOOK_FORMAT:
        raise RefusedInput(f"{notebook}: expected a notebook of format {NOTEBOOK_FORMAT}. Save it in JupyterLab once")
    return node


def injected_values(notebook: Path) -> dict[str, Any]:
    """The parameters that an executed copy was run with, or was given since; none of another notebook.

    Raises as `read_notebook`, and RefusedInput where the cell holds other than plain values.
    """
    found: dict[str, Any] = {}
    for cell in read_notebook(notebook).get("cells", []):
        if INJECTED_TAG not in cell.get("metadata", {}).get("tags", []):
            continue
        try:
            found |= dict(_assigned(line) for line in ast.parse("".join(cell["source"])).body)
        except (SyntaxError, ValueError) as error:
            raise RefusedInput(
                f"{notebook}: expected lines such as limit = 4 with plain values in its cell tagged {INJECTED_TAG!r}. "
                "Correct it, or remove the cell"
            ) from error
    return found


def _assigned(line: ast.stmt) -> tuple[str, Any]:
    """Name and value of `limit = 4` or `limit: int = 4`. Raises ValueError for any other line: it would be lost."""
    match line:
        case ast.Assign(targets=[ast.Name(name)], value=value) | ast.AnnAssign(
            ast.Name(name), value=ast.expr() as value
        ):
            return name, ast.literal_eval(value)
    raise ValueError(ast.unparse(line))


def parameter_types(notebook: Path) -> dict[str, tuple[str, str]]:
    """Name -> (type, default as source text) of each parameter of a notebook, in order; type `None` where unstated.

    Raises as `read_notebook`, and RefusedInput where a cell of parameters is not Python.
    """
    found = {}
    for cell in read_notebook(notebook).get("cells", []):
        if PARAMETER_TAGS.isdisjoint(cell.get("metadata", {}).get("tags", [])):
            continue
        source = "".join(cell["source"])
        try:
            body = ast.parse(source).body
        except SyntaxError as error:
            raise RefusedInput(f"{notebook}: a cell of its parameters is not Python. Correct it") from error
        for line in body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
                found[line.target.id] = (ast.unparse(line.annotation), ast.get_source_segment(source, line.value) or "")
            elif isinstance(line, ast.Assign):
                default = ast.get_source_segment(source, line.value) or ""
                found |= {target.id: ("None", default) for target in line.targets if isinstance(target, ast.Name)}
    return found
