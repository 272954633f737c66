"""Beginning of a notebook: reads its parameters, finds its inputs, names its results."""

import ast
import re
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from IPython import get_ipython
from pydantic import BaseModel

from helpers.core import paths
from helpers.core.errors import UsageProblem, VesselkitError
from helpers.core.paths import PARTIAL_PREFIX, Stage
from helpers.core.shown_text import counted
from helpers.notebook.parameters import validate

if TYPE_CHECKING:  # it brings torch, and parameters are to be refused in a second or two
    from helpers.checkpoints.verify import VerificationReport

Settings = TypeVar("Settings", bound=BaseModel)

_READ_AT = "_parameters_read_at"


@dataclass(frozen=True)
class ResultFolder:
    """Where a notebook will write; `wanted` is the name that was asked for."""

    path: Path
    wanted: str

    def __str__(self) -> str:
        """The folder, and why it has another name than was asked for."""
        kept = "" if self.path.name == self.wanted else f" ({self.wanted} exists already and is kept)"
        return shown_path(self.path) + kept


@dataclass(frozen=True)
class ChosenModel:
    """The model folder of a notebook, and why this one."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{shown_path(self.path)} ({self.reason})"


def read_parameters(model: type[Settings], namespace: MutableMapping[str, Any] | None = None) -> Settings:
    """The parameters set in the notebook's cells so far, validated.

    Papermill sets names that the notebook does not know as plain variables and runs on. So every public variable that
    is neither module nor callable counts as a parameter here, and one that `model` lacks is refused. When the call is
    repeated in a running kernel, later cells have made variables of their own: then those count that were assigned,
    since the last call, in a cell that also assigns a parameter.

    Args:
        namespace: for tests; otherwise that of the notebook, or the caller's globals outside of one.
    Raises:
        UsageProblem: listing everything that is wrong.
    """
    shell = get_ipython() if namespace is None else None
    if namespace is None:
        namespace = shell.user_ns if shell else sys._getframe(1).f_globals
    given = _plain_variables(namespace, shell.user_ns_hidden if shell else {})
    cells = namespace.get("In", [])
    read_at = namespace.get(_READ_AT)
    if read_at is not None:
        known = set(model.model_fields)
        beside = _names_assigned_beside(known, cells[read_at:])
        given = {name: value for name, value in given.items() if name in known | beside}
    namespace[_READ_AT] = len(cells)
    return validate(model, given)


def result_folder(project: str, stage: Stage, name: str | None, fallback: str) -> ResultFolder:
    """A folder for new results, yet to be made: `name`, or the next free of `name-2`, `name-3`, ...

    Args:
        fallback: used where `name` is None; any text, made into a plain name.
    """
    wanted = name or _as_plain_name(fallback)
    return ResultFolder(paths.next_free(paths.stage_folder(project, stage), wanted), wanted)


def resumable_folder(project: str, stage: Stage, name: str | None) -> ResultFolder:
    """A folder for results that go on where an earlier run of that name stopped; None for a name of this minute."""
    if name is None:
        return result_folder(project, stage, None, fallback=utc_name())
    return ResultFolder(paths.stage_folder(project, stage) / paths.plain_name(name, "name"), name)


def choose_model(project: str, model: Path | None) -> ChosenModel:
    """The named model folder, or the project's latest complete conversion.

    Raises:
        UsageProblem: where neither is there.
    """
    if model is not None:
        return ChosenModel(model, "as named")
    try:
        latest = paths.latest_complete(project, Stage.CONVERT)
    except UsageProblem as error:
        raise UsageProblem(f"{error}: set model, or pass -p model FOLDER") from error
    return ChosenModel(latest, f"the latest complete conversion of project {project}")


def utc_name() -> str:
    """The present minute as a name: 20261124-0731."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M")


def shown_path(path: Path) -> str:
    """A path as notebooks show it: from the project root, or the last name alone, since folders can name people."""
    root = paths.project_root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def require_verified(report: "VerificationReport") -> None:
    """Stop a notebook whose export does not hold what its sources do. Raises VesselkitError with all findings."""
    if not report.ok:
        raise VesselkitError(f"verification failed, the export does not match its sources:\n{report.to_text()}")


def compared_with_receipt(folder: Path, receipt: Path | None, data: Path | None) -> str:
    """What a comparison of a model folder with official code found, for people; where no receipt was given, so.

    Args:
        receipt: what the official code computes, docs/receipt-format.md.
        data: data set or image with the receipt's frames; None for drawn ones.
    Raises:
        VesselkitError: where the folder holds another model; its record says so too.
        UsageProblem, RefusedInput: as `check_against_receipt`.
    """
    if receipt is None:
        return "not compared with the official code: no receipt was given"
    from helpers.data.opening import Opening  # here, since most notebooks compare nothing
    from helpers.stages.receipt_stage import check_against_receipt

    verdict = check_against_receipt(folder, receipt, None if data is None else Opening(data))
    if verdict.is_another:
        raise VesselkitError(verdict.to_text())
    return verdict.to_text()


def list_files(folder: Path) -> list[str]:
    """The files of a result with their sizes, folders with many files summed up; one line each."""
    lines = []
    for entry in sorted(folder.iterdir(), key=lambda found: (found.is_dir(), found.name)):
        if entry.name.startswith(PARTIAL_PREFIX):
            continue
        if entry.is_file():
            lines.append(f"{shown_path(entry)}  {entry.stat().st_size:,} bytes")
        else:
            files = [found for found in entry.rglob("*") if found.is_file()]
            total = sum(found.stat().st_size for found in files)
            lines.append(f"{shown_path(entry)}/  {counted(len(files), 'file')}, {total:,} bytes")
    return lines


def _plain_variables(namespace: Mapping[str, Any], hidden: Mapping[str, Any]) -> dict[str, Any]:
    """Public variables that are neither modules nor callables, without those that the kernel started with."""
    unlisted = object()
    return {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and not callable(value)
        and name not in ("In", "Out")
        and hidden.get(name, unlisted) is not value
    }


def _names_assigned_beside(known: set[str], cells: list[str]) -> set[str]:
    """Names assigned at the top level of cells that also assign a known one."""
    found: set[str] = set()
    for source in cells:
        names = _assigned_names(source)
        if names & known:
            found |= names
    return found


def _assigned_names(source: str) -> set[str]:
    """Names that a cell's simple assignments set; none for a cell that is not plain Python."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return set()
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _as_plain_name(text: str) -> str:
    """The text with everything replaced that a folder's name cannot hold."""
    cleaned = re.sub(r"[^A-Za-z0-9._+-]+", "-", text)[:100].lstrip("._+-")
    return paths.plain_name(cleaned or "result", "name")
