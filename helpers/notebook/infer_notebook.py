"""Steps of `02_infer`: open a data set, and predict it into a run folder."""

from dataclasses import asdict, replace
from pathlib import Path

from helpers.core.errors import VesselkitError
from helpers.core.vocabulary import Combine, Quantization
from helpers.data.dataset import Dataset
from helpers.notebook.prompt_box import PromptBox
from helpers.notebook.settings import InferSettings
from helpers.prediction.engine.case_result import Thresholding
from helpers.prediction.engine.model_loading import (
    ModelIdentity,
    check_folder,
    check_memory,
    choose_device,
    choose_dtype,
    load_model,
)
from helpers.prediction.run import check_asking, check_output, check_parameters, predict
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.prediction.sequences.sequence_answers import own_limit
from helpers.runs.run_folder import Run, open_run


def open_data(settings: InferSettings) -> Dataset:
    """The data set of the notebook; a limit takes the first of its cases."""
    return settings.opening.open()


def first_cases(settings: InferSettings, dataset: Dataset) -> Dataset:
    """The data set with no more cases than are predicted."""
    return replace(dataset, cases=dataset.cases[: settings.limit])


def check_call(settings: InferSettings, model: Path, output: Path) -> ModelIdentity:
    """Which model it is, once all that is cheap to check has been: device, number type, memory, folders."""
    check_parameters(settings.prompts, settings.threshold, settings.batch_size, settings.limit)
    choose_dtype(settings.dtype, choose_device(settings.device))
    check_output(output)
    identity = check_folder(model)
    check_memory(model, settings.device, settings.dtype, _quantization(settings))
    return identity


def predict_data(settings: InferSettings, model: Path, dataset: Dataset, output: Path) -> Run:
    """Predict the frames of a data set, going on where an earlier run of the same configuration stopped.

    The model gets frames alone; the ground truth stays in `dataset`. Raises as `helpers.prediction.run.predict`, and
    VesselkitError where every case ended in an error.
    """
    identity = asdict(check_folder(model))
    asked = {
        "threshold": settings.threshold,
        "combine": Combine(settings.combine),
        "limit": own_limit(dataset.frames, settings.limit),
        "dataset": dataset.identity,
    }
    check_asking(output, dataset.frames, settings.prompts, model=identity, batch_size=settings.batch_size, **asked)
    summary = predict(
        dataset.frames,
        open_predictor(settings, model),
        output,
        settings.prompts,
        batch_size=settings.batch_size,
        **asked,
    )
    if not summary.complete:
        raise VesselkitError(f"{output}: the run is not complete; run this notebook again with the same parameters")
    if summary.failure is not None:
        raise VesselkitError(summary.to_text())
    return open_run(output)


def open_predictor(settings: InferSettings, model: Path) -> Sa2VAPredictor:
    """The model of the notebook, loaded. Raises as `helpers.prediction.engine.model_loading.load_model`."""
    identity = asdict(check_folder(model))
    return Sa2VAPredictor(*load_model(model, settings.device, settings.dtype, _quantization(settings)), identity)


def prompt_box(settings: InferSettings, model: Path, dataset: Dataset, run: Run) -> PromptBox:
    """A box to try prompts in, on the frames of a data set; it loads the model when it is first used."""
    thresholding = Thresholding(settings.threshold, Combine(settings.combine))
    return PromptBox(
        lambda: open_predictor(settings, model), dataset.cases, settings.prompts[0], thresholding, run.stamp
    )


def _quantization(settings: InferSettings) -> Quantization | None:
    return None if settings.quantize is None else Quantization(settings.quantize)
