"""Vesselness as a predictor: no prompt is understood, no text is given, one full-size map comes out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import skimage
from PIL import Image

from helpers.errors import UsageProblem
from helpers.inference.predictor import Answer
from helpers.runs.logits import Upsampling
from helpers.vesselness.maps import to_logits, vesselness
from helpers.vesselness.settings import Tuned


class VesselnessPredictor:
    """A `helpers.inference.predictor.Predictor`. Probability 0.5 of its maps is the threshold of the settings."""

    def __init__(self, tuned: Tuned) -> None:
        self._tuned = tuned

    @property
    def identity(self) -> Mapping[str, Any]:
        tuned_on = self._tuned.tuned_on
        return {
            "kind": "vesselness",
            **self._tuned.settings.to_json(),
            "tuned_on": None if tuned_on is None else tuned_on.to_json(),
        }

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"device": "cpu", "dtype": "float32", "scikit_image": skimage.__version__}

    def prepare(self, image: Image.Image) -> np.ndarray:
        return to_logits(vesselness(grey_values(image), self._tuned.settings), self._tuned.settings.threshold)

    def predict(self, prepared: Sequence[np.ndarray], prompts: Sequence[str]) -> list[list[Answer]]:
        if len(prompts) != 1:
            raise UsageProblem(f"prompt: expected one, since vesselness understands none, got {len(prompts)}")
        return [[Answer(None, False, logits[None], Upsampling.NONE)] for logits in prepared]


def grey_values(image: Image.Image) -> np.ndarray:
    """The grey values of a frame (mode RGB), float32 (H, W), 0 .. 1."""
    return np.asarray(image.convert("L"), np.float32) / 255
