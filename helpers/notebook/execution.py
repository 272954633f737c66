"""Run a notebook with given parameters through papermill, strictly.

Papermill alone only warns of unknown parameters, formats braces in paths, waits for ever, and writes the output in
place while it runs. Here such parameters are refused, and the output appears complete or not at all.
"""

import logging
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

import helpers
from helpers.core import paths
from helpers.core.atomic import require_writable
from helpers.core.errors import MORE_MEMORY, RefusedInput, Stopped, UsageProblem, VesselkitError, in_words
from helpers.core.vocabulary import Language
from helpers.notebook.kit_notebooks import check_values, known_model
from helpers.notebook.notebook_report import write_report
from helpers.notebook.parameters import (
    NOTEBOOK_FORMAT,
    PARAMETERS_TAG,
    injected_values,
    parameter_types,
    read_notebook,
    refuse_withheld,
    unknown_names,
)
from helpers.notebook.prose import tell_in
from helpers.notebook.scrubbing import scrub
from helpers.notebook.watching import ENGINE

_KINDS = {kind.__name__: kind for kind in (UsageProblem, RefusedInput)}  # by the name that a cell's error has
# The kernel's log goes to the terminal, where its words on how it was started and ended read like failures.
_QUIET = ["--IPKernelApp.log_level=50"]
# In a folder with a helpers.py of the user's own, the kernel of a notebook of the kit would import that.
_OWN_HELPERS = (
    "--IPKernelApp.exec_lines=__import__('sys').path.insert(0, {folder!r}); __import__('helpers'); "
    "__import__('sys').path.remove({folder!r})"
)
# It warns of parameters that its one tagged cell lacks; here names are checked, those of a notebook's other cell too.
logging.getLogger("papermill").setLevel(logging.ERROR)


def execute_notebook(
    notebook: Path,
    output: Path,
    parameters: Mapping[str, Any],
    timeout_s: int,
    environment: Mapping[str, str] | None = None,
) -> Path:
    """Run `notebook` and write the executed copy to `output`; the folder it is called from plays no part.

    What it is at shows as a bar (`helpers.core.progress`): the cell by its heading, and the bars of the kernel.

    Paths are resolved from the project root. The executed copy holds no path of the user, since folders can carry
    names: see `helpers.notebook.scrubbing`. Parameters of the kit's own notebooks are checked before a kernel starts.
    A notebook that fails leaves its copy as `<output stem>.failed.ipynb`, and `output` untouched. One that announces
    a report (`helpers.notebook.notebook_report`) gets it written. Where `language` is among the
    parameters, the copy's prose is in that one and has the other in folds.

    Args:
        parameters: names must be assigned in the notebook's cells of parameters; values are JSON values or paths.
            An executed copy is run with what it was run with before, but for these.
        timeout_s: seconds that any one cell may take.
        environment: variables that the kernel gets beside those of this process, or in their place.
    Raises:
        UsageProblem: bad parameters, a missing kernel, an output that is no .ipynb or is the notebook itself.
        RefusedInput: a file other than a notebook, or an output that cannot be written.
        VesselkitError: a cell failed or took too long, or the kernel died; the message holds the cell's error. Where
            the cell raised UsageProblem or RefusedInput, the same is raised here.
        Stopped: by an interrupt.
        OSError: where the copy cannot be written.
    """
    notebook, output = paths.resolve(Path(notebook)), paths.followed(paths.resolve(Path(output)))
    if output.suffix != ".ipynb" or output == notebook:
        raise UsageProblem(f"{output}: expected a name that ends in .ipynb, other than the notebook that is run")
    if timeout_s <= 0:
        raise UsageProblem(f"timeout_s: expected seconds above 0, got {timeout_s}")
    kernel = _check_kernel(notebook)
    parameters = {**injected_values(notebook), **parameters}
    _check_names(notebook, parameters)
    require_writable(output)
    _check_output(output)
    arguments = list(_QUIET)
    if known_model(parameter_types(notebook)) is not None:
        arguments.append(_OWN_HELPERS.format(folder=str(Path(helpers.__file__).resolve().parents[1])))
    told_in = parameters.get("language")
    language = Language(told_in) if told_in in set(Language) else None
    portable = {name: _portable(value) for name, value in parameters.items()}
    output.parent.mkdir(parents=True, exist_ok=True)
    failed = output.with_name(f"{output.stem}.failed.ipynb")
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".notebook-") as folder:
        running = Path(folder) / output.name
        try:
            papermill.execute_notebook(
                _escaped(notebook),
                _escaped(running),
                parameters=portable,
                kernel_name=kernel,
                engine_name=ENGINE,
                progress_bar=False,
                execution_timeout=timeout_s,
                extra_arguments=arguments,
                shown_as=notebook.stem,
                environment=dict(environment or {}),
            )
        except KeyboardInterrupt:
            _keep(running, failed, notebook.name, output.name, language)
            raise Stopped(f"{notebook.name}: stopped; what its cells wrote is kept. See {failed}") from None
        except (PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
            _keep(running, failed, notebook.name, output.name, language)
            kind = _KINDS.get(getattr(error, "ename", ""), VesselkitError)
            raise kind(f"{notebook.name}: {_reason(error, timeout_s)}. See {failed}") from error
        except OSError as error:
            error.filename = error.filename or str(output)
            raise
        _tidy(running, notebook.name, output.name, language, failed=False)
        os.replace(running, output)
    failed.unlink(missing_ok=True)  # of an earlier run; it would now contradict the output
    write_report(output)
    return output


def _check_kernel(notebook: Path) -> str:
    """The name of the notebook's kernel, which must be installed."""
    node = read_notebook(notebook)
    name = node.get("metadata", {}).get("kernelspec", {}).get("name")
    if not name:
        raise RefusedInput(
            f"{notebook}: expected a kernel name in its metadata, found none. Save it in JupyterLab once"
        )
    try:
        KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel as error:
        advice = f"Run: python -m ipykernel install --sys-prefix --name {name}"
        raise UsageProblem(f"{notebook.name}: its kernel {name!r} is not installed. {advice}") from error
    return name


def _check_output(output: Path) -> None:
    """Refuse to write over anything but an executed copy, such as the notebook that someone works on."""
    if not output.exists():
        return
    try:
        executed = "papermill" in read_notebook(output).get("metadata", {})
    except RefusedInput:
        executed = False
    if not executed:
        raise RefusedInput(
            f"{output}: expected a new file, or an executed copy to replace, found another file. Name another one, or "
            "move this one away"
        )


def _check_names(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that the notebook does not have, with which papermill would run on, and values it refuses."""
    types = parameter_types(notebook)
    problems = unknown_names(parameters, list(types))
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise UsageProblem(f"{notebook.name}: parameters refused (cell tagged {PARAMETERS_TAG!r}):\n{lines}")
    refuse_withheld(parameters)
    check_values(types, parameters)


def _escaped(path: Path) -> str:
    """The path for papermill, which takes braces in it for places to fill."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _portable(value: Any) -> Any:
    """Paths as strings, those inside the project relative to its root; other values unchanged."""
    if isinstance(value, list | tuple):
        return [_portable(item) for item in value]
    if not isinstance(value, str | Path):
        return value
    root = paths.project_root()
    if os.path.isabs(value) and Path(value).is_relative_to(root):
        return Path(value).relative_to(root).as_posix()
    return str(value)


def _keep(running: Path, failed: Path, source_name: str, output_name: str, language: Language | None) -> None:
    """Keep what a notebook that did not end well has shown so far."""
    if running.is_file():
        _tidy(running, source_name, output_name, language, failed=True)
        os.replace(running, failed)


def _tidy(executed: Path, source_name: str, output_name: str, language: Language | None, *, failed: bool) -> None:
    """Take what could name a patient out of an executed notebook, and put its prose into a language; None leaves it."""
    node = nbformat.read(executed, as_version=NOTEBOOK_FORMAT)
    record = node.metadata.setdefault("papermill", {})
    record["input_path"], record["output_path"] = source_name, output_name
    scrub(node, failed=failed)
    if language is not None:
        tell_in(node.cells, language)
    nbformat.write(node, executed)


def _reason(error: Exception, timeout_s: int) -> str:
    """What stopped the notebook, in words."""
    if isinstance(error, PapermillExecutionError):
        said = f"cell {error.cell_index + 1} failed with {error.ename}: {error.evalue}".rstrip(": ")
        advice = _advice(error.ename, error.evalue)
        return said if advice is None else f"{said}. {advice}, then run the notebook again"
    if isinstance(error, CellTimeoutError):
        return f"a cell took longer than {timeout_s} s; raise the time limit or lessen the work"
    return f"the kernel died ({error}); most often the memory ran out"


def _advice(kind: str, text: str) -> str | None:
    """What to do about an error of the system in a cell, of which the name and the text are left; None for others."""
    if kind in ("MemoryError", "OutOfMemoryError"):
        return MORE_MEMORY
    number = re.match(r"\[Errno (\d+)\]", text)
    words = None if number is None else in_words(OSError(int(number[1]), ""))
    return None if words is None else words.advice
