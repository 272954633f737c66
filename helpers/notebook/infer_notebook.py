"""Steps of `02_infer`: open a data set, and predict it into a run folder."""

from dataclasses import replace
from pathlib import Path

from helpers.core.errors import VesselkitError
from helpers.core.vocabulary import Combine, Quantization
from helpers.data.dataset import Dataset
from helpers.notebook.prompt_box import PromptBox
from helpers.notebook.settings import InferSettings
from helpers.prediction.engine.case_result import Thresholding
from helpers.prediction.engine.model_loading import ModelIdentity
from helpers.prediction.model_choice import ModelChoice
from helpers.runs.run_folder import Run
from helpers.stages.predict_stage import Predicted, PredictRequest


def open_data(settings: InferSettings) -> Dataset:
    """The data set of the notebook; a limit takes the first of its cases."""
    return settings.opening.open()


def first_cases(settings: InferSettings, dataset: Dataset) -> Dataset:
    """The data set with no more cases than are predicted."""
    return replace(dataset, cases=dataset.cases[: settings.limit])


def check_call(settings: InferSettings, model: Path, output: Path) -> ModelIdentity:
    """Which model it is, once all that is cheap to check has been: device, number type, memory, folders."""
    return ModelIdentity(**_request(settings, model, output).check().identity)


def predict_data(settings: InferSettings, model: Path, dataset: Dataset, output: Path) -> Run:
    """Predict the frames of a data set, going on where an earlier run of the same configuration stopped.

    The model gets frames alone; the ground truth stays in `dataset`. Raises as `PredictRequest.run`, and VesselkitError
    where every case ended in an error.
    """
    run = Predicted(_request(settings, model, output).check().predict(dataset), dataset).finished_run()
    if run is None:
        raise VesselkitError(f"{output}: the run is not complete; run this notebook again with the same parameters")
    return run


def prompt_box(settings: InferSettings, model: Path, dataset: Dataset, run: Run) -> PromptBox:
    """A box to try prompts in, on the frames of a data set; it loads the model when it is first used."""
    thresholding = Thresholding(settings.threshold, Combine(settings.combine))
    return PromptBox(
        lambda: _choice(settings, model).open().load(), dataset.cases, settings.prompts[0], thresholding, run.stamp
    )


def _request(settings: InferSettings, model: Path, output: Path) -> PredictRequest:
    return PredictRequest(
        settings.opening,
        output,
        _choice(settings, model),
        tuple(settings.prompts),
        settings.threshold,
        Combine(settings.combine),
        settings.batch_size,
        settings.limit,
    )


def _choice(settings: InferSettings, model: Path) -> ModelChoice:
    quantize = None if settings.quantize is None else Quantization(settings.quantize)
    return ModelChoice(model, device=settings.device, dtype=settings.dtype, quantize=quantize)
