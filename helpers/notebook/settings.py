"""The parameters of the kit's notebooks: what each notebook accepts, what it means, and what is refused at once.

An empty string or a zero stands for "not given" where a notebook cannot write None. The notebooks' cells of parameters
and docs/notebooks.md are written from here, by `helpers.notebook.parameter_table`.
"""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    DirectoryPath,
    Field,
    FilePath,
    model_validator,
)

from helpers.core.vocabulary import (
    AskedIds,
    Combine,
    ComputeDtype,
    Exchange,
    ExportDtype,
    Exported,
    Identity,
    Language,
    Quantization,
)
from helpers.data.opening import Opening
from helpers.metrics.intervals import DRAWS, SEED
from helpers.notebook.demo_inputs import with_demo_checkpoint, with_demo_inputs
from helpers.notebook.parameter_checks import (
    checked_device,
    checked_ensemble,
    checked_prompt,
    checked_size,
    existing,
    existing_if_given,
    file_or_none,
    needed,
    none_if_empty,
    none_if_zero,
    one_of,
    plain,
    project,
    sizes_file,
)
from helpers.prediction.predictor import DEFAULT_PROMPT

_Unset = BeforeValidator(none_if_empty)
_UnsetNumber = BeforeValidator(none_if_zero)
_Words = Annotated[str, Field(pattern=r"\S")]
_Prompt = Annotated[str, AfterValidator(checked_prompt)]
_PlainName = Annotated[str, AfterValidator(plain)]
_Project = Annotated[str, AfterValidator(project)]
_OptionalName = Annotated[str | None, _Unset, AfterValidator(plain)]
_OptionalText = Annotated[str | None, _Unset]
_OptionalCount = Annotated[Annotated[int, Field(ge=1)] | None, _UnsetNumber]
_Data = Annotated[
    Path,
    needed("give a path: a folder or annotation file. Project demo takes the data of `make demo`"),
    AfterValidator(existing),
]
_Checkpoint = Annotated[
    Path,
    needed("give a path: iter_N.pth, or a folder of the official converter. Project demo takes that of `make demo`"),
    AfterValidator(existing),
]

_NO_SOURCE = ("project", "name", "language", "id_key", "receipt", "receipt_data")
_LATEST_RUN = "run folder, or name of a run of the project; empty: its latest model run, else its latest run"


class ResultSettings(BaseModel):
    """Where the results of a notebook go.

    `first_cell` names the parameters in a notebook's first cell, at most eight; the others stand in its second.
    """

    model_config = ConfigDict(frozen=True)
    first_cell: ClassVar[tuple[str, ...]] = ("project", "name")

    project: _Project = Field("demo", description="results go to outputs/<project>/")
    name: _OptionalName = Field(None, description="of the result; empty: the time in UTC")
    language: Annotated[str, *one_of(Language)] = Field(
        Language.ENGLISH.value, description="that executed copies, their pages and the viewer are read in: en or zh"
    )


class DataSettings(ResultSettings):
    """Parameters of a notebook about a data set, as `Opening` takes them; `data` is absolute."""

    _of_demo = model_validator(mode="before")(with_demo_inputs)

    data: _Data = Field(description="needed: data set, a folder or annotation file; or one image, DICOM or video")
    layout: _OptionalText = Field(None, description="of the data set; empty: found out")
    ids: Annotated[Annotated[str, *one_of(AskedIds)] | None, _Unset] = Field(
        None, description="keep or pseudonym; empty: keep those of public data sets, replace others"
    )
    id_key: Annotated[Path | None, _Unset] = Field(
        None, description="file of the key of case ids; empty: .vesselkit/id.key in the data set"
    )
    group_by: _OptionalText = Field(None, description="rule for patient and sequence; empty: found out")
    split: _OptionalText = Field(None, description="only this one, such as test; empty: all")
    rescale_from: Annotated[str | None, _Unset, AfterValidator(checked_size)] = Field(
        None, description="image size assumed for annotations that state none, such as 800x800; empty: the frame's"
    )

    @property
    def opening(self) -> Opening:
        """How the data set is opened."""
        return Opening(**{one.name: getattr(self, one.name) for one in fields(Opening) if one.name != "rescale"})


class ConvertSettings(ResultSettings):
    """Parameters of `01_convert`. Paths are absolute; None leaves the choice to the checkpoint."""

    first_cell = ("project", "name", "checkpoint", "base", "sam2", "train_config", "pretrained", "dtype")

    _of_demo = model_validator(mode="before")(with_demo_checkpoint)

    name: _OptionalName = Field(None, description="of the result; empty: from the checkpoint's name")
    checkpoint: _Checkpoint = Field(description="needed: iter_N.pth, or a folder of the official converter")
    base: Annotated[DirectoryPath | None, _Unset] = Field(
        None, description="the InternVL folder that the run started from; empty: none, or the training config's"
    )
    sam2: Annotated[FilePath | None, _Unset] = Field(
        None, description="the SAM 2.0 file that the run started from; empty: none"
    )
    sam2_config: Annotated[str | None, _Unset, AfterValidator(sizes_file)] = Field(
        None, description="a preset's name or a JSON file of sizes; empty: from the tensors"
    )
    train_config: Annotated[FilePath | None, _Unset] = Field(
        None, description="the run's config file, read and never executed; empty: the text in the checkpoint"
    )
    lora_alpha: Annotated[Annotated[float, Field(gt=0)] | None, _UnsetNumber] = Field(
        None, description="scale of the LoRA matrices; 0: from the training config"
    )
    template: _OptionalText = Field(None, description="chat template; empty: from the training config")
    pretrained: Annotated[str | None, _Unset, AfterValidator(file_or_none)] = Field(
        None, description="Sa2VA that training loaded over the base; none: nothing was loaded; empty: not said"
    )
    id_key: Annotated[Path | None, _Unset] = Field(
        None, description="file of the key of hashes of training images' names; empty: a key of this machine"
    )
    dtype: Annotated[str, *one_of(ExportDtype)] = Field(
        ExportDtype.BFLOAT16.value, description="of the exported weights: bfloat16, float16 or float32"
    )
    receipt: Annotated[FilePath | None, _Unset] = Field(
        None, description="receipt.npz of the official code, to compare with; empty: none (docs/receipt-format.md)"
    )
    receipt_data: Annotated[Path | None, _Unset, AfterValidator(existing_if_given)] = Field(
        None, description="folder or image with the receipt's frames; empty: they were drawn"
    )

    @property
    def sources(self) -> dict[str, Any]:
        """What a conversion is asked for, by the names of `ConversionRequest`."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in _NO_SOURCE}


class InferSettings(DataSettings):
    """Parameters of `02_infer`."""

    first_cell = ("project", "name", "data", "model", "prompts", "threshold", "device", "limit")

    model: Annotated[DirectoryPath | None, _Unset] = Field(
        None, description="model folder; empty: the project's latest complete conversion"
    )
    prompts: list[_Prompt] = Field([DEFAULT_PROMPT], min_length=1, description="each is asked of every frame")
    threshold: float = Field(0.5, gt=0, lt=1, description="probability above which a pixel is in the mask")
    combine: Annotated[str, *one_of(Combine)] = Field(
        Combine.UNION.value, description="of several [SEG]: union, first or best"
    )
    batch_size: _OptionalCount = Field(None, description="frames at a time; 0: what suits the device")
    device: Annotated[str, AfterValidator(checked_device)] = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    dtype: Annotated[str, *one_of(ComputeDtype)] = Field(
        ComputeDtype.AUTO.value,
        description="that the model computes in: auto, float32, mixed (SAM2 in float16), bfloat16 or float16",
    )
    quantize: Annotated[Annotated[str, *one_of(Quantization)] | None, _Unset] = Field(
        None, description="int8 or nf4: the language model's weights in 8 or 4 bits; empty: in the dtype"
    )
    limit: _OptionalCount = Field(None, description="only the first cases, a later run may add more; 0: all")
    ensemble: Annotated[str | None, _Unset, AfterValidator(checked_ensemble)] = Field(
        None, description="flips (4 times as long), prompts, or flips,prompts: keep how far answers differ; empty: no"
    )


class EvaluateSettings(DataSettings):
    """Parameters of `03_evaluate`. Runs are folders or names of runs of the project."""

    first_cell = ("project", "name", "data", "predictions", "against", "prompt", "training", "exclude_training")

    name: _OptionalName = Field(None, description="of the result; empty: that of the run")
    data: _Data = Field(description="needed: data set with ground truth, a folder or annotation file")
    predictions: _OptionalText = Field(None, description=_LATEST_RUN)
    against: list[_Words] = Field([], description="run folders or names to compare with")
    prompt: _OptionalText = Field(None, description="such as p1; empty: every prompt of the runs, each by itself")
    training: Annotated[Path | None, _Unset, AfterValidator(existing_if_given)] = Field(
        None, description="list of case ids or configuration of the training; empty: what convert kept on this machine"
    )
    exclude_training: bool = Field(False, description="leave out patients of whom training saw frames, and count them")
    development: Annotated[DirectoryPath | None, _Unset] = Field(
        None,
        description="earlier evaluation of the same model on other patients, to choose a threshold on; empty: none",
    )
    close_gaps: int = Field(
        0, ge=0, description="close gaps with a disk of this radius in pixels and report the gain; 0: no"
    )
    remove_small: int = Field(0, ge=0, description="drop pieces below this number of pixels and report the gain; 0: no")
    groups: _OptionalText = Field(
        None,
        description="scores by group: column of a CSV beside the data, or view or vendor of DICOM headers; empty: no",
    )
    seed: int = Field(SEED, ge=0, description="of p-values by sign flips, and of the interval of the ECE")
    draws: int = Field(DRAWS, ge=100, description="how many sign flips and bootstrap draws of patients")
    processes: _OptionalCount = Field(None, description="processes that score cases; 0: one for each core")


class ReviewSettings(DataSettings):
    """Parameters of `04_review`. Runs are folders or names of runs of the project."""

    first_cell = ("project", "name", "data", "predictions", "against", "metrics", "prompt", "reviewer")

    name: _OptionalName = Field(None, description="of the review, which the same name resumes; empty: that of the run")
    data: _Data = Field(description="needed: data set of the run, a folder or annotation file")
    predictions: _OptionalText = Field(None, description=_LATEST_RUN)
    against: list[_Words] = Field(
        [], max_length=1, description="one run folder or name; the key b shows it in place of the first"
    )
    beside: list[_Words] = Field(
        [], description="run folders or names to show side by side with the first (same data set)"
    )
    metrics: Annotated[DirectoryPath | None, _Unset] = Field(
        None, description="evaluation of the run; empty: the project's latest one of this run, if any"
    )
    prompt: _OptionalText = Field(None, description="such as p1; empty: the first of the run")
    reviewer: _PlainName = Field("reviewer", description="whose verdicts these are: a name or initials")
    model: Annotated[DirectoryPath | None, _Unset] = Field(
        None, description="model folder whose SAM2 answers clicks and carries corrections; empty: neither"
    )
    from_empty: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the cases to draw from empty before their prediction is shown, 0.1 is 10 %; 0: none",
    )
    queue: _OptionalCount = Field(None, description="only the next cases to look at, by the model's own doubt; 0: all")
    page_cases: _OptionalCount = Field(None, description="cases in the page, the worst first; 0: all")
    export: Annotated[Annotated[str, *one_of(Exported)] | None, _Unset] = Field(
        None, description="what to write for other tools, see docs/exchange.md; empty: nothing"
    )
    export_as: Annotated[str, *one_of(Exchange)] = Field(Exchange.PNG.value, description="format of what is exported")
    identity: Annotated[str, *one_of(Identity)] = Field(
        Identity.DECLARED.value, description="whose identity exported DICOM files carry, see docs/exchange.md"
    )
    margin: Annotated[float | None, _UnsetNumber] = Field(
        None, description="of exported pairs: by how much readers differ, as 1 - intersection over union; 0: not said"
    )
    adjudicator: _OptionalName = Field(
        None, description="whose corrections count where readers differ; empty: such cases are left out"
    )
    accept_as_truth: bool = Field(False, description="accepted predictions are ground truth among exported corrections")
