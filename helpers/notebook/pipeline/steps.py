"""The steps of `vesselkit pipeline` and `make demo`: the whole way, from an earlier conversion where one verifies."""

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from helpers.checkpoints.convert.conversion_record import RECORD_NAME, ConversionRecord, read_record
from helpers.checkpoints.verify import verify
from helpers.core.atomic import require_writable
from helpers.core.errors import UsageProblem, VesselkitError
from helpers.core.paths import Stage, newest_first, project_of, stage_folder
from helpers.core.processes import only_process
from helpers.data.dataset import Dataset
from helpers.data.opening import Opening
from helpers.evaluation.leakage.conversion_names import keep_names_of_export
from helpers.notebook.execution import execute_notebook
from helpers.notebook.kit_notebooks import kit_notebook
from helpers.prediction.model_choice import BASELINE, ModelChoice
from helpers.prediction.predictor import check_prompts
from helpers.stages.predict_stage import PredictRequest

_log = logging.getLogger(__name__)

MODEL_RUN, BASELINE_RUN = "model", BASELINE
_DAY = 86_400
_CONVERSION = ("checkpoint", "base", "sam2", "sam2_config", "train_config", "lora_alpha", "template", "pretrained")


@dataclass(frozen=True)
class PipelineRequest:
    """What `vesselkit pipeline` is asked for; None means that the sources decide.

    Attributes:
        checkpoint, base, sam2, sam2_config, train_config, lora_alpha, template, pretrained: as in `ConversionRequest`.
        opening: how the data set is opened; the notebooks know no `rescale`.
        output: absolute path of the folder for all results; steps that are done there are not done again.
        prompts: asked of every frame.
        baseline: settings of the vesselness that the model is compared with; None for the documented defaults.
        training: images that the model was trained on, see `vesselkit evaluate --training`.
        exclude_training: score no patient of whom training saw frames.
        device, dtype, batch_size, limit: as in notebook 02.
    """

    checkpoint: Path
    opening: Opening
    output: Path
    base: Path | None = None
    sam2: Path | None = None
    sam2_config: str | None = None
    train_config: Path | None = None
    lora_alpha: float | None = None
    template: str | None = None
    pretrained: Path | str | None = None
    prompts: tuple[str, ...] | None = None
    baseline: Path | None = None
    training: Path | None = None
    exclude_training: bool = False
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Beginning:
    """A step that begins, the `number`th of `total`."""

    name: str
    number: int
    total: int


@dataclass(frozen=True)
class PipelineStep:
    """One finished step: what it left behind, and how long it took, in seconds."""

    name: str
    result: Path
    seconds: float
    reused: bool = False


def run_pipeline(
    request: PipelineRequest, begins: Callable[[Beginning], None] = lambda beginning: None
) -> Iterator[PipelineStep]:
    """Convert, predict, predict the baseline, evaluate where there is ground truth, and write the review's page.

    `begins` is called with each step that begins; each step is yielded when it is done.

    The data set is opened before anything else, so that a wrong path costs no conversion. A conversion of the same
    sources is verified and used again, runs that were stopped go on, the evaluation is made anew.

    Raises:
        UsageProblem, RefusedInput, VesselkitError: as the notebooks; also where the output cannot be written, or
            another process is at work on it.
    """
    if not request.output.is_absolute():
        raise UsageProblem(f"output: expected an absolute path, got {request.output}")
    if request.prompts is not None:
        check_prompts(request.prompts)
    require_writable(request.output)
    dataset = request.opening.open()
    ModelChoice(BASELINE, model_config=request.baseline).open()  # settings that cannot be read cost no conversion
    with only_process(request.output, "runs a pipeline"):
        yield from _steps(request, dataset, begins)


def _steps(request: PipelineRequest, dataset: Dataset, told: Callable[[Beginning], None]) -> Iterator[PipelineStep]:
    """The steps of `run_pipeline`, which has checked the request."""
    project = project_of(request.output)
    has_truth = any(case.truth is not None for case in dataset.cases[: request.limit])
    names = ["01_convert", "02_infer", BASELINE_RUN, *(["03_evaluate"] if has_truth else []), "04_review"]

    def begins(name: str) -> None:
        told(Beginning(name, names.index(name) + 1, len(names)))

    begins("01_convert")
    model = yield from _convert(request, project)
    run = stage_folder(project, Stage.PREDICT) / MODEL_RUN
    begins("02_infer")
    yield _notebook(
        "02_infer",
        project,
        run,
        {
            "name": MODEL_RUN,
            "model": str(model),
            **_data(request.opening),
            "prompts": None if request.prompts is None else list(request.prompts),
            "device": request.device,
            "dtype": request.dtype,
            "batch_size": request.batch_size,
            "limit": request.limit,
        },
    )
    beside = stage_folder(project, Stage.PREDICT) / BASELINE_RUN
    begins(BASELINE_RUN)
    started = time.perf_counter()
    choice = ModelChoice(BASELINE, model_config=request.baseline)
    summary = PredictRequest(request.opening, beside, choice, limit=request.limit).check().predict(dataset)
    if summary.failure is not None:
        raise VesselkitError(summary.to_text())
    yield PipelineStep(BASELINE_RUN, beside, time.perf_counter() - started)
    both = {"predictions": str(run), "against": [str(beside)], **_data(request.opening)}
    metrics = None
    if has_truth:
        begins("03_evaluate")
        training = None if request.training is None else str(request.training)
        started = time.perf_counter()
        metrics = _new_result(
            "03_evaluate",
            project,
            Stage.EVALUATE,
            {**both, "training": training, "exclude_training": request.exclude_training or None},
        )
        yield PipelineStep("03_evaluate", metrics, time.perf_counter() - started)
    shown = {**both, "metrics": None if metrics is None else str(metrics)}
    begins("04_review")
    yield _notebook("04_review", project, stage_folder(project, Stage.REVIEW) / MODEL_RUN, shown)


def _convert(request: PipelineRequest, project: str) -> Generator[PipelineStep, None, Path]:
    """The step of the conversion; returns the model's folder."""
    started = time.perf_counter()
    folder = stage_folder(project, Stage.CONVERT)
    found = verified_conversion(
        folder,
        request.checkpoint,
        request.base,
        request.sam2,
        request.train_config,
        pretrained=request.pretrained,
        lora_alpha=request.lora_alpha,
        template=request.template,
    )
    if found is not None:
        kept = keep_names_of_export(found, request.checkpoint, request.train_config, request.opening.id_key)
        _log.info("%s", kept.text)
        yield PipelineStep("01_convert", found, time.perf_counter() - started, reused=True)
        return found
    given = {name: getattr(request, name) for name in _CONVERSION} | {"id_key": request.opening.id_key}
    sources = {name: str(one) if isinstance(one, Path) else one for name, one in given.items()}
    model = _new_result("01_convert", project, Stage.CONVERT, sources)
    yield PipelineStep("01_convert", model, time.perf_counter() - started)
    return model


def _data(opening: Opening) -> dict[str, Any]:
    """The data set's parameters of notebooks 02 and 03."""
    given = {one.name: getattr(opening, one.name) for one in fields(opening) if one.name != "rescale"}
    return {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}


def _notebook(name: str, project: str, result: Path, parameters: dict[str, Any]) -> PipelineStep:
    started = time.perf_counter()
    _run_notebook(name, project, parameters)
    return PipelineStep(name, result, time.perf_counter() - started)


def _new_result(name: str, project: str, stage: Stage, parameters: dict[str, Any]) -> Path:
    """The folder that a notebook made. The newest by its time may be another one, where the clock was set back."""
    before = set(stage_folder(project, stage).glob(f"*/{stage.final_file}"))
    _run_notebook(name, project, parameters)
    (made,) = set(stage_folder(project, stage).glob(f"*/{stage.final_file}")) - before
    return made.parent


def _run_notebook(name: str, project: str, parameters: dict[str, Any]) -> None:
    """Run one notebook; parameters of None keep its defaults."""
    output = stage_folder(project, Stage.NOTEBOOKS) / f"{name}.ipynb"
    output.parent.mkdir(parents=True, exist_ok=True)
    given = {key: value for key, value in parameters.items() if value is not None}
    execute_notebook(kit_notebook(name), output, {"project": project, **given}, _DAY)


def verified_conversion(
    folder: Path,
    checkpoint: Path,
    base: Path | None,
    sam2: Path | None,
    train_config: Path | None = None,
    *,
    pretrained: Path | str | None = None,
    lora_alpha: float | None = None,
    template: str | None = None,
) -> Path | None:
    """The newest conversion in a folder of conversions that verifies against these sources; None where there is none.

    Args:
        folder: holds one folder for each conversion; it may be absent.
        checkpoint, base, sam2, train_config, pretrained: what it must come from.
        lora_alpha, template: what it must have been asked for; None for what the sources say.
    """
    for found in newest_first(folder, RECORD_NAME):
        try:
            if not _asked_for(read_record(found), {"lora_alpha": lora_alpha, "template": template}):
                _log.info("conversion %s: not reused, it was made with other options", found.name)
                continue
            report = verify(found, checkpoint, base, sam2, train_config, pretrained)
        except VesselkitError as error:
            _log.info("conversion %s: not reused (%s)", found.name, type(error).__name__)
            continue
        if report.ok:
            return found
        _log.info("conversion %s: not reused, it is of other sources or damaged", found.name)
    return None


def _asked_for(record: ConversionRecord, given: Mapping[str, object]) -> bool:
    """Whether options decided the same settings in the same way."""
    settings = record.values["settings"]
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value != (settings[name]["value"] if settings[name]["source"] == option else None):
            return False
    return True
