"""Predict every frame of a folder with an exported model, into a run folder."""

import logging
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from helpers import __version__
from helpers.atomic import partial_folder, write_json_atomic
from helpers.errors import UsageProblem
from helpers.images.reading import UnreadableImage, list_images, read_image
from helpers.inference.loading import check_folder, end_words, load_model
from helpers.inference.prediction import Predict, Prediction, predict_case, threshold_logit
from helpers.inference.run_folder import (
    MANIFEST_NAME,
    SCHEMA,
    SCHEMA_VERSION,
    CaseRow,
    count_statuses,
    seconds_summary,
    write_case,
    write_table,
)
from helpers.inference.status import PredictionStatus

logger = logging.getLogger(__name__)

_MESSAGE_LIMIT = 300


@dataclass(frozen=True)
class CaseImage:
    """One frame to predict: a case id that says nothing of the patient, and the file behind it."""

    case_id: str
    path: Path


@dataclass(frozen=True)
class RunSummary:
    """A finished run: its folder, rows in order of the case ids, and its manifest."""

    folder: Path
    rows: tuple[CaseRow, ...]
    manifest: Mapping[str, Any]

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of frames of each status, zeros included."""
        return self.manifest["counts"]


def number_cases(images: Path) -> tuple[CaseImage, ...]:
    """The frames of a folder as case_0001, case_0002, ... in natural order of their file names.

    The numbers count the whole folder, so a limit on a run does not change them. Errors as in `list_images`.
    """
    return tuple(CaseImage(f"case_{index:04d}", path) for index, path in enumerate(list_images(images), start=1))


def predict_folder(
    model_dir: Path,
    images: Path,
    output: Path,
    prompt: str,
    threshold: float = 0.5,
    device: str = "auto",
    dtype: str = "auto",
    limit: int | None = None,
) -> RunSummary:
    """Predict the frames directly in `images` and write the run folder `output` (docs/run-format.md).

    A frame that fails gets a row with its status, and no mask; the run goes on. The folder appears under its name
    only when complete.
    Raises UsageProblem for parameters that cannot work and `RefusedInput` for a model or image folder that is
    refused, both before the model is loaded.
    """
    check_parameters(prompt, threshold, limit)
    cases = number_cases(Path(images))[:limit]
    identity = check_folder(Path(model_dir))
    with partial_folder(Path(output)) as partial:
        model, tokenizer = load_model(Path(model_dir), device, dtype)

        def predict(image, text):
            return model.predict_forward(
                image=image, video=None, text=text, past_text="", mask_prompts=None, tokenizer=tokenizer
            )

        found = predict_cases(
            predict, cases, partial, prompt=prompt, threshold=threshold, end_words=end_words(model, tokenizer)
        )
        parameters = {
            "prompt": prompt,
            "threshold": threshold,
            "limit": limit,
            "device": str(model.device),
            "dtype": str(model.dtype).removeprefix("torch."),
        }
        manifest = build_manifest(parameters, vars(identity), found)
        write_json_atomic(partial / MANIFEST_NAME, manifest)  # last: a folder without it is not a finished run
    logger.info("run finished: %s", ", ".join(f"{count} {name}" for name, count in manifest["counts"].items() if count))
    return RunSummary(Path(output), found, manifest)


def check_parameters(prompt: str, threshold: float, limit: int | None) -> None:
    """Raise UsageProblem where the parameters of a run cannot work."""
    if not prompt.strip():
        raise UsageProblem("prompt: expected a text such as 'blood vessel', got an empty one")
    threshold_logit(threshold)
    if limit is not None and limit < 1:
        raise UsageProblem(f"limit: expected a number of frames of at least 1, or none for all, got {limit}")


def predict_cases(
    predict: Predict,
    cases: Iterable[CaseImage],
    folder: Path,
    *,
    prompt: str,
    threshold: float,
    end_words: tuple[str, ...] = (),
) -> tuple[CaseRow, ...]:
    """Predict `cases` one by one, write logits, masks and predictions.csv into `folder`, and return the rows."""
    rows = []
    with torch.inference_mode():
        for case in tqdm(cases, desc="predict", unit="image"):
            prediction = _predict_one(predict, case, prompt=prompt, threshold=threshold, end_words=end_words)
            if prediction.message:
                logger.warning("%s: %s (%s)", case.case_id, prediction.status, prediction.message)
            rows.append(write_case(folder, prediction))
    write_table(folder, rows)
    return tuple(rows)


def build_manifest(parameters: Mapping[str, Any], model: Mapping[str, Any], rows: tuple[CaseRow, ...]) -> dict:
    """The JSON object that ends a run."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": dict(parameters),
        "model": dict(model),
        "versions": {
            "vesselkit": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "transformers", "numpy", "pillow")},
        },
        "images": len(rows),
        "counts": count_statuses(rows),
        "seconds_per_image": seconds_summary(rows),
    }


def _predict_one(
    predict: Predict, case: CaseImage, *, prompt: str, threshold: float, end_words: tuple[str, ...]
) -> Prediction:
    """The prediction for one frame; a failure of its file or of the model on it becomes a status."""
    try:
        image = read_image(case.path)
    except UnreadableImage as error:
        status, message = PredictionStatus.READ_ERROR, error.reason
        return Prediction(case.case_id, prompt, status, message=message)
    try:
        return predict_case(
            predict, image, case_id=case.case_id, prompt=prompt, threshold=threshold, end_words=end_words
        )
    except (RuntimeError, ValueError, MemoryError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()  # else the failed frame's blocks may starve the next one
        message = _nameless(f"{type(error).__name__}: {error}", case)
        return Prediction(
            case.case_id,
            prompt,
            PredictionStatus.ERROR,
            width=image.width,
            height=image.height,
            message=message,
        )


def _nameless(message: str, case: CaseImage) -> str:
    """`message`, on one line and shortened, with every trace of the image's path replaced by its case id."""
    for trace in (str(case.path), str(case.path.resolve()), case.path.name, case.path.stem):
        message = re.sub(rf"(?<!\w){re.escape(trace)}(?!\w)", case.case_id, message)
    return " ".join(message.split())[:_MESSAGE_LIMIT]
