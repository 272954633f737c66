"""The parameters of the kit's notebooks, as types: what each notebook accepts, and what it refuses at once.

An empty string or a zero stands for "not given" where a notebook cannot write None.
"""

import re
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, DirectoryPath, Field, FilePath

from helpers import paths
from helpers.data.opening import Opening
from helpers.data.other_frame import parse_size
from helpers.errors import UsageProblem
from helpers.evaluation.intervals import DRAWS, SEED

_DEVICE = r"auto|cpu|mps|cuda(:\d+)?"


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


def _none_if_zero(value: Any) -> Any:
    """None for the number 0; False is left for the type check to refuse."""
    return None if value == 0 and not isinstance(value, bool) else value


def _required(value: Any) -> Any:
    if value == "":
        raise ValueError("needed; give a path")
    return value


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError("expected an existing file or folder, found none; check the path")
    return path


def _existing_if_given(path: Path | None) -> Path | None:
    return None if path is None else _existing(path)


def _plain(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        return paths.plain_name(name, "name")
    except UsageProblem as error:
        raise ValueError(str(error)) from error


def _project(name: str) -> str:
    """A plain name under `outputs`, or the path of a folder for all results."""
    return name if paths.is_path(name) else str(_plain(name))


def _sizes_file(value: str | None) -> str | None:
    """A preset's name as it is, a JSON file as an absolute path."""
    if value is None or not (value.endswith(".json") or re.search(r"[/\\]", value)):
        return value
    return str(_existing(paths.resolve(value)))


def _size(value: str | None) -> str | None:
    if value is not None:
        try:
            parse_size(value)
        except UsageProblem as error:
            raise ValueError("expected WIDTHxHEIGHT in pixels, such as 800x800") from error
    return value


def _device(value: str) -> str:
    if not re.fullmatch(_DEVICE, value):
        raise ValueError("expected auto, cpu, cuda, cuda:N or mps")
    return value


_Unset = BeforeValidator(_none_if_empty)
_UnsetNumber = BeforeValidator(_none_if_zero)
_Words = Annotated[str, Field(pattern=r"\S")]
_PlainName = Annotated[str, AfterValidator(_plain)]
_Project = Annotated[str, AfterValidator(_project)]
_OptionalName = Annotated[str | None, _Unset, AfterValidator(_plain)]


class ResultSettings(BaseModel):
    """Where the results of a notebook go: to `project`, under `name`; None for one of its own."""

    model_config = ConfigDict(frozen=True)

    project: _Project
    name: _OptionalName = None


class DataSettings(ResultSettings):
    """Parameters of a notebook about a data set, as `Opening` takes them.

    `data` may be a folder or an annotation file, and is absolute; None leaves `layout` and `ids` to the data set.
    """

    data: Annotated[Path, BeforeValidator(_required), AfterValidator(_existing)]
    layout: Annotated[str | None, _Unset] = None
    ids: Annotated[Literal["keep", "pseudonym"] | None, _Unset] = None
    id_key: Annotated[Path | None, _Unset] = None
    group_by: Annotated[str | None, _Unset] = None
    split: Annotated[str | None, _Unset] = None
    rescale_from: Annotated[str | None, _Unset, AfterValidator(_size)] = None

    @property
    def opening(self) -> Opening:
        """How the data set is opened."""
        return Opening(**{one.name: getattr(self, one.name) for one in fields(Opening) if one.name != "rescale"})


class ConvertSettings(ResultSettings):
    """Parameters of `01_convert`. Paths are absolute; None leaves the choice to the checkpoint.

    `checkpoint` may be a file or a folder; `lora_alpha` is above 0; `sam2_config` is a preset's name or a JSON file.
    """

    checkpoint: Annotated[Path, BeforeValidator(_required), AfterValidator(_existing)]
    base: Annotated[DirectoryPath | None, _Unset] = None
    sam2: Annotated[FilePath | None, _Unset] = None
    sam2_config: Annotated[str | None, _Unset, AfterValidator(_sizes_file)] = None
    train_config: Annotated[FilePath | None, _Unset] = None
    lora_alpha: Annotated[Annotated[float, Field(gt=0)] | None, _UnsetNumber] = None
    template: Annotated[str | None, _Unset] = None
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"


class InferSettings(DataSettings):
    """Parameters of `02_infer`.

    None leaves the choice of `model` to the latest complete conversion, of `batch_size` to the device; `quantize` None
    holds all weights in the dtype; `limit` None means all cases.
    """

    model: Annotated[DirectoryPath | None, _Unset] = None
    prompts: list[_Words] = Field(["Please segment the blood vessels."], min_length=1)
    threshold: float = Field(0.5, gt=0, lt=1)
    combine: Literal["union", "first", "best"] = "union"
    batch_size: Annotated[Annotated[int, Field(ge=1)] | None, _UnsetNumber] = None
    device: Annotated[str, AfterValidator(_device)] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    quantize: Annotated[Literal["int8", "nf4"] | None, _Unset] = None
    limit: Annotated[Annotated[int, Field(ge=1)] | None, _UnsetNumber] = None


class EvaluateSettings(DataSettings):
    """Parameters of `03_evaluate`.

    `predictions` and each of `against` is a run folder, or the name of a run of the project; `predictions` None means
    the project's latest finished run. `training` is a list of case ids or a training configuration, `development` an
    earlier evaluation of the same model on other patients; `prompt` None means every prompt that the runs have;
    `processes` None means the number of cores.
    """

    predictions: Annotated[str | None, _Unset] = None
    against: list[_Words] = Field([])
    prompt: Annotated[str | None, _Unset] = None
    training: Annotated[Path | None, _Unset, AfterValidator(_existing_if_given)] = None
    development: Annotated[DirectoryPath | None, _Unset] = None
    close_gaps: int = Field(0, ge=0)
    remove_small: int = Field(0, ge=0)
    seed: int = Field(SEED, ge=0)
    draws: int = Field(DRAWS, ge=100)
    processes: Annotated[Annotated[int, Field(ge=1)] | None, _UnsetNumber] = None


class ReviewSettings(DataSettings):
    """Parameters of `04_review`.

    `predictions`, `against` and each of `beside` are run folders, or names of runs of the project; `predictions` None
    means the project's latest finished run, `metrics` None the latest evaluation of it, `prompt` None its first prompt,
    `page_cases` None all cases.
    """

    predictions: Annotated[str | None, _Unset] = None
    against: list[_Words] = Field([], max_length=1)
    beside: list[_Words] = Field([])
    metrics: Annotated[DirectoryPath | None, _Unset] = None
    prompt: Annotated[str | None, _Unset] = None
    reviewer: _PlainName = "reviewer"
    page_cases: Annotated[Annotated[int, Field(ge=1)] | None, _UnsetNumber] = None
