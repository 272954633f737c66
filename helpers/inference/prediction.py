"""The prediction for one frame, from the model's answer to logits and mask."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from helpers.errors import UsageProblem
from helpers.inference.status import PredictionStatus, status_of

# (image RGB, prompt) -> {"prediction": str, "prediction_logits": one float32 (1, H, W) for each [SEG]}
Predict = Callable[[Image.Image, str], Mapping[str, Any]]

_FLOAT16_LIMIT = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Prediction:
    """One frame's result. Without a usable mask, `logits` and `mask` are None, never empty arrays.

    Attributes:
        text: the model's answer, special tokens included; None where it gave none.
        seg_count: number of `[SEG]` that the model gave logits for; None where it gave no answer.
        logits: float32 (n, H, W), one for each `[SEG]`, already rounded to the float16 grid that is stored.
        mask: bool (H, W), the union over `[SEG]` of logits above the threshold's logit.
        seconds: time of the model alone; None where it did not run.
        width, height: of the frame as read, in pixels; None where it could not be read.
        message: why there is no result; None where there is one.
    """

    case_id: str
    prompt: str
    status: PredictionStatus
    text: str | None = None
    seg_count: int | None = None
    logits: np.ndarray | None = field(default=None, repr=False)
    mask: np.ndarray | None = field(default=None, repr=False)
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    message: str | None = None


def threshold_logit(threshold: float) -> float:
    """The logit of a probability. Raises UsageProblem where `threshold` is not inside 0 .. 1."""
    if not 0.0 < threshold < 1.0:
        raise UsageProblem(f"threshold: expected a probability between 0 and 1, both excluded, got {threshold}")
    return math.log(threshold / (1.0 - threshold))


def stored_grid(logits: np.ndarray) -> np.ndarray:
    """Finite `logits` (n, H, W) as float16, limited to its range; the form in which they are stored."""
    return np.clip(logits, -_FLOAT16_LIMIT, _FLOAT16_LIMIT).astype(np.float16)


def mask_from_logits(logits: np.ndarray, threshold: float) -> np.ndarray | None:
    """The union mask, bool (H, W), of `logits` (n, H, W); None where n is 0.

    Compared in float32, since a threshold's logit rounded to float16 would move the threshold.
    """
    if len(logits) == 0:
        return None
    return (logits.astype(np.float32) > np.float32(threshold_logit(threshold))).any(axis=0)


def predict_case(
    predict: Predict,
    image: Image.Image,
    *,
    case_id: str,
    prompt: str,
    threshold: float = 0.5,
    end_words: tuple[str, ...] = (),
) -> Prediction:
    """Run the model on one frame (mode RGB) and judge its answer.

    Args:
        end_words: words that end a complete answer; an answer without any of them at its end was cut. Empty: unknown,
            so that no answer is called cut.
    Raises:
        ValueError: where the answer's logits do not have the shape of the image.
        RuntimeError: from the model itself, for instance torch.OutOfMemoryError.
    """
    start = time.perf_counter()
    answer = predict(image, prompt)
    seconds = time.perf_counter() - start
    text = answer["prediction"]
    raw = _stack(answer["prediction_logits"], image.width, image.height)
    finite = bool(np.isfinite(raw).all())
    stored = stored_grid(raw) if finite else None
    mask = None if stored is None else mask_from_logits(stored, threshold)
    status = status_of(
        finite=finite,
        truncated=bool(end_words) and not text.rstrip().endswith(end_words),
        seg_count=len(raw),
        mask_fraction=None if mask is None else float(mask.mean()),
    )
    return Prediction(
        case_id=case_id,
        prompt=prompt,
        status=status,
        text=text,
        seg_count=len(raw),
        logits=None if mask is None else stored.astype(np.float32),
        mask=mask,
        seconds=seconds,
        width=image.width,
        height=image.height,
        message=None if finite else f"{int((~np.isfinite(raw)).sum())} of {raw.size} logits are not finite",
    )


def _stack(logits: list[np.ndarray], width: int, height: int) -> np.ndarray:
    """One array (n, H, W) from n arrays (1, H, W)."""
    for index, found in enumerate(logits):
        if np.shape(found) != (1, height, width):
            raise ValueError(
                f"logits of [SEG] {index + 1}: expected shape (1, {height}, {width}), got {np.shape(found)}"
            )
    return np.concatenate(logits).astype(np.float32) if logits else np.zeros((0, height, width), np.float32)
