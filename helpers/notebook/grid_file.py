"""A grid file: one notebook, fixed parameters and a grid, made into jobs that are checked before the first one starts.

The format is described in docs/grid-file.md.
"""

import ast
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, TypeAdapter, ValidationError

from helpers.core import paths
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.paths import Stage
from helpers.core.shown_text import counted
from helpers.notebook.grid_keys import Fingerprints, data_state, job_key
from helpers.notebook.kit_notebooks import known_model, with_defaults
from helpers.notebook.parameters import parameter_types, unknown_names, validate
from helpers.notebook.settings import EvaluateSettings, InferSettings

_MOST_BYTES = 1_000_000
_MOST_JOBS = 10_000
_PROJECT, _NAME = "project", "name"  # parameters of notebooks that a grid treats apart
_NEVER_LATEST = {"model": "its models; give a folder", "predictions": "its runs; give a folder or a run's name"}
_HASHES = ".inputs.json"
_TYPES = {
    "str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict,
    "list[str]": list[str], "list[int]": list[int], "list[float]": list[float],
}  # fmt: skip


def _plain(name: str) -> str:
    try:
        return paths.plain_name(name, "name")
    except UsageProblem as error:
        raise ValueError(str(error)) from error


class GridSettings(BaseModel):
    """What stands in a grid file. `jobs` and `name` None: chosen by the runner, by the file's own name.

    `slurm` has parameters of `submitit.SlurmExecutor`, used where the jobs become a SLURM array alone.
    """

    model_config = ConfigDict(frozen=True)

    notebook: FilePath
    project: Annotated[str, AfterValidator(_plain)]
    name: Annotated[str, AfterValidator(_plain)] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    jobs: Annotated[int, Field(ge=1)] | None = None
    memory_gb: float = Field(8.0, gt=0)
    timeout_s: int = Field(6 * 3600, ge=1)
    slurm: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One run of the notebook.

    Attributes:
        number: its place in the grid, from 1.
        key: hash of the notebook, the parameters and the state of the inputs.
        parameters: as the notebook gets them.
        varied: the part of them that the grid sets, for the index.
    """

    number: int
    key: str
    parameters: dict[str, Any]
    varied: dict[str, Any]

    @property
    def name(self) -> str:
        """Free of anything that a path or a prompt says: job-001-3fa94c21d0."""
        return f"job-{self.number:03d}-{self.short_key}"

    @property
    def short_key(self) -> str:
        return self.key[:10]


@dataclass(frozen=True)
class Grid:
    """A checked grid.

    Attributes:
        folder: `outputs/<project>/notebooks/batch-<name>`.
    """

    settings: GridSettings
    folder: Path
    jobs: tuple[Job, ...]


def read_grid(path: Path) -> Grid:
    """The jobs of a grid file, every parameter of each checked. Relative paths in it mean the project root.

    Raises:
        RefusedInput: the file is no YAML of the expected form.
        UsageProblem: listing what is wrong with its entries, or with the parameters of its jobs.
    """
    settings = _settings(path)
    name = settings.name or _plain_stem(path)
    types = parameter_types(settings.notebook)
    fixed = dict(settings.parameters)
    if _PROJECT in types:
        fixed[_PROJECT] = settings.project
    problems = _grid_problems(settings, types)
    combinations = list(_combinations(settings.grid)) if not problems else []
    for number, varied in enumerate(combinations, 1):
        problems += [f"job {number}: {problem}" for problem in _value_problems(types, {**fixed, **varied})]
    _refuse(path, problems)
    folder = paths.stage_folder(settings.project, Stage.NOTEBOOKS) / f"batch-{name}"
    fingerprints = Fingerprints.kept_in(folder / _HASHES)
    states = _States(types, fingerprints)
    jobs = []
    for number, varied in enumerate(combinations, 1):
        given = {**fixed, **varied}
        try:
            state = states.of(given)
        except (UsageProblem, RefusedInput) as error:
            problems.append(f"job {number}: {error}")
            continue
        key = job_key(settings.notebook, given, fingerprints, state)
        if _NAME in types and _NAME not in given:
            given[_NAME] = f"job-{key[:10]}"  # of its own, so that an interrupted job resumes where it was
        jobs.append(Job(number, key, given, varied))
    _refuse(path, problems)
    _refuse_repeated(path, jobs)
    fingerprints.keep(folder / _HASHES)
    return Grid(settings, folder, tuple(jobs))


class _States:
    """What the results of jobs depend on beside the files that their parameters name; each data set is opened once."""

    def __init__(self, types: Mapping[str, tuple[str, str]], fingerprints: Fingerprints) -> None:
        self._types = types
        self._fingerprints = fingerprints
        self._data: dict[tuple, dict[str, Any]] = {}

    def of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The state of a job; an empty one for notebooks that are not the kit's.

        The data set is opened as the job opens it, so that the key of its ids is there before any job runs.

        Raises:
            UsageProblem, RefusedInput: where the data set or a run cannot be used.
        """
        model = known_model(self._types)
        if model is None:
            return {}
        settings = validate(model, with_defaults(self._types, given))
        state: dict[str, Any] = {}
        if isinstance(settings, InferSettings | EvaluateSettings):
            state["data"] = self._data_state(settings)
        if isinstance(settings, EvaluateSettings):
            from helpers.notebook.evaluate_notebook import (
                choose_runs,  # here, since other notebooks need not wait for it
            )

            state["runs"] = [self._fingerprints.of(one.run.folder) for one in choose_runs(settings)]
        return state

    def _data_state(self, settings: InferSettings | EvaluateSettings) -> dict[str, Any]:
        names = ("data", "layout", "ids", "id_key", "group_by", "split", "rescale_from")
        asked = tuple(getattr(settings, name) for name in names)
        if asked not in self._data:
            self._data[asked] = data_state(settings.opening.open(), settings.data, self._fingerprints)
        return self._data[asked]


def _settings(path: Path) -> GridSettings:
    """The entries of a grid file, validated but for the notebook's own parameters."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path}: expected a grid file, found none that can be read ({error.strerror})") from error
    if len(content) > _MOST_BYTES:
        raise RefusedInput(f"{path}: expected a grid file of at most {_MOST_BYTES:,} bytes, got {len(content):,}")
    try:
        values = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RefusedInput(f"{path}: not readable as YAML ({error}). Correct the file") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise RefusedInput(f"{path}: expected entries such as 'notebook: ...', got {type(values).__name__}")
    try:
        return validate(GridSettings, values)
    except UsageProblem as error:
        raise UsageProblem(f"{path.name}: {error}") from error


def _plain_stem(path: Path) -> str:
    try:
        return paths.plain_name(path.stem, "name")
    except UsageProblem as error:
        raise UsageProblem(f"{path.name}: its own name is not a plain name; add an entry 'name: ...'") from error


def _grid_problems(settings: GridSettings, types: Mapping[str, tuple[str, str]]) -> list[str]:
    """What is wrong with the names of the parameters, and with the size of the grid."""
    problems = unknown_names({**settings.parameters, **settings.grid}, list(types))
    problems += [
        f"{name}: in parameters and in grid; keep one" for name in settings.grid if name in settings.parameters
    ]
    if _PROJECT in settings.parameters or _PROJECT in settings.grid:
        problems.append(f"{_PROJECT}: stands at the top of the file, not among the parameters")
    count = 1
    for values in settings.grid.values():
        count *= len(values)
    if count > _MOST_JOBS:
        problems.append(f"grid: expected at most {_MOST_JOBS:,} jobs, got {count:,}; split the file")
    if _NAME in settings.parameters and count > 1:
        problems.append(f"{_NAME}: the same for {counted(count, 'job')}, which would share one result; leave it out")
    for name, advice in _NEVER_LATEST.items():
        if name in types and not settings.parameters.get(name) and name not in settings.grid:
            problems.append(f"{name}: a grid names {advice}")
    return problems


def _combinations(grid: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the grid; the last name varies fastest."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _value_problems(types: Mapping[str, tuple[str, str]], given: Mapping[str, Any]) -> list[str]:
    """What is wrong with the values of one job: their types, and for notebooks of the kit all that their types say."""
    problems = []
    for name, value in given.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            problems.append(f"{name}: expected a value that JSON can hold, got {value!r}")
            continue
        kind = _declared_type(*types[name])
        if kind is not None:
            try:
                TypeAdapter(kind).validate_python(value, strict=True)
            except ValidationError:
                problems.append(f"{name}: expected a value of type {types[name][0]}, got {value!r}")
    known = known_model(types)
    if problems or known is None:
        return problems
    try:
        validate(known, with_defaults(types, given))
    except UsageProblem as error:
        problems += [line.strip() for line in str(error).splitlines()[1:]]
    return problems


def _declared_type(kind: str, default: str) -> Any:
    """The type to hold a value against: the declared one, else that of the default; None where neither is simple."""
    if kind in _TYPES:
        return _TYPES[kind]
    try:
        value = ast.literal_eval(default)
    except (ValueError, SyntaxError):
        return None
    return _TYPES.get(type(value).__name__) if kind == "None" else None


def _refuse(path: Path, problems: list[str]) -> None:
    if problems:
        lines = "\n".join(f"  {line}" for line in dict.fromkeys(problems))
        raise UsageProblem(f"{path.name}: refused before any job ran:\n{lines}")


def _refuse_repeated(path: Path, jobs: list[Job]) -> None:
    seen: dict[str, int] = {}
    for job in jobs:
        first = seen.setdefault(job.key, job.number)
        if first != job.number:
            raise UsageProblem(f"{path.name}: jobs {first} and {job.number} are the same; take one out of the grid")
