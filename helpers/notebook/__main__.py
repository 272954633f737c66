"""`python -m helpers.notebook NOTEBOOK -p name value ...`: run a notebook of the kit without a browser."""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.core import paths
from helpers.core.errors import UsageProblem, VesselkitError, exit_as_interrupted, explain_os_errors
from helpers.core.extras import explain_missing_extras
from helpers.core.paths import Stage
from helpers.core.terminal import Terminal
from helpers.notebook.kit_notebooks import check_values, named_notebook
from helpers.notebook.notebook_session import shown_path, utc_name
from helpers.notebook.parameters import injected_values, parameter_types, read_notebook, unknown_names

_TRUTH = {"true": True, "false": False}
_DEFAULT_TIMEOUT_S = 6 * 3600
_EXECUTED = re.compile(r"^(\d{8}-\d{4}-)+")  # how the names of executed copies begin


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one notebook; the exit code is that of the kit's commands."""
    options = _parser().parse_args(arguments)
    try:
        name = Path(options.notebook).stem
        with (
            exit_as_interrupted(), explain_os_errors(), explain_missing_extras(), Terminal(sys.stderr).at_work(name)
        ):  # fmt: skip
            written = _run(options)
    except VesselkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stderr.write("".join(f"{line}\n" for line in [f"executed notebook: {shown_path(written)}", *results(written)]))
    return 0


def results(executed: Path) -> list[str]:
    """The lines of an executed notebook that say where its results are: `results: outputs/demo/predict/first`."""
    outputs = [output for cell in read_notebook(executed)["cells"] for output in cell.get("outputs", [])]
    printed = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")
    return list(dict.fromkeys(line for line in printed.splitlines() if line.startswith("results: ")))


def _run(options: argparse.Namespace) -> Path:
    """The executed copy. Raises as `execute_notebook`."""
    notebook = named_notebook(options.notebook)
    types = parameter_types(notebook)
    parameters = {**injected_values(notebook), **typed_parameters(types, options.parameters)}
    check_values(types, parameters)
    output = options.output or default_output(notebook, types, parameters)
    from helpers.notebook.execution import execute_notebook  # here, since it takes seconds; refusals need not wait

    return execute_notebook(notebook, Path(output), parameters, options.timeout)


def typed_parameters(types: Mapping[str, tuple[str, str]], given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Command-line texts as values of the types that the notebook declares.

    Args:
        types: name -> (type, default), as `parameter_types` gives them.
        given: (name, text) pairs.
    Raises:
        UsageProblem: listing unknown and repeated names and texts that do not spell a value of their type.
    """
    problems = unknown_names(dict(given), list(types))
    values: dict[str, Any] = {}
    for name, text in given:
        if name not in types:
            continue
        if name in values:
            problems.append(f"{name}: given twice; give it once")
        try:
            values[name] = _typed(text, types[name][0])
        except ValueError:
            problems.append(f"{name}: expected a value of type {types[name][0]}, got {text!r}")
    if problems:
        raise UsageProblem("parameters refused:\n" + "\n".join(f"  {problem}" for problem in problems))
    return values


def default_output(notebook: Path, types: Mapping[str, tuple[str, str]], parameters: Mapping[str, Any]) -> Path:
    """`outputs/<project>/notebooks/<UTC>-<notebook>.ipynb`, with a number where that is taken.

    Raises:
        UsageProblem: for a notebook without a parameter `project`.
    """
    if "project" not in types:
        raise UsageProblem(f"{notebook.name} has no parameter 'project'; name the executed copy with --output")
    project = parameters.get("project", types["project"][1].strip("'\""))
    folder = paths.stage_folder(project, Stage.NOTEBOOKS)
    return paths.next_free(folder, f"{utc_name()}-{_EXECUTED.sub('', notebook.stem)}", ".ipynb")


def _typed(text: str, kind: str) -> Any:
    """A text as bool, int, float or, written as JSON, list; as it is for any other type. Raises ValueError."""
    if kind.split("[")[0] == "list":
        value = json.loads(text)
        if not isinstance(value, list):
            raise ValueError(text)
        return value
    if kind == "bool":
        if text.lower() not in _TRUTH:
            raise ValueError(text)
        return _TRUTH[text.lower()]
    return {"int": int, "float": float}.get(kind, str)(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.notebook",
        description="Run a notebook of the kit. Relative paths mean the project root.",
        epilog="Exit codes: 0 ok, 1 a cell failed, 2 usage, 3 refused input, 130 stopped.",
    )
    parser.add_argument("notebook", help="for instance notebooks/02_infer.ipynb")
    parser.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set one parameter of the notebook, a list as JSON; may be repeated",
    )
    parser.add_argument(
        "--output", help="the executed copy (default: outputs/<project>/notebooks/<UTC>-<notebook>.ipynb)"
    )
    parser.add_argument(
        "--timeout",
        type=int,
        default=_DEFAULT_TIMEOUT_S,
        metavar="S",
        help="most seconds of one cell (default: 6 hours)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
