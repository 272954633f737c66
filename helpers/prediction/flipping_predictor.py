"""A predictor that also predicts each frame mirrored: what a model says differently there, it is less sure of.

The prediction stays that of the frame as it is; members are handed on beside it, on its own pixel grid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from helpers.prediction.batch_size import device_of
from helpers.prediction.predictor import FramePrediction, Gathers, Predictor

# Whether rows and columns are reversed. The frame as it is comes first.
FLIPS = ((False, False), (False, True), (True, False), (True, True))


class FlippingPredictor:
    """A predictor that also predicts each frame mirrored; its own answers are those of the predictor that it wraps.

    The mirrored frames of a batch are predicted after it, one kind at a time, so that no batch is larger than without.
    """

    def __init__(self, predictor: Predictor):
        self._inner = predictor

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON object that says which weights these are."""
        return self._inner.identity

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON object of what else decides the predictions."""
        return self._inner.settings

    @property
    def device(self) -> torch.device:
        """Where the model is, of several GPUs which."""
        return device_of(self._inner)

    def prepare(self, image: Image.Image) -> tuple[Any, ...]:
        """The inputs of a frame, one for each of `FLIPS`."""
        return tuple(self._inner.prepare(_flipped_image(image, *flip)) for flip in FLIPS)

    def gather(self, prepared: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """The frames as they are are brought to the device ahead; the mirrored ones follow when it is their turn."""
        if not isinstance(self._inner, Gathers):
            return prepared
        first = self._inner.gather([inputs[0] for inputs in prepared])
        return [(own, *inputs[1:]) for own, inputs in zip(first, prepared, strict=True)]

    def predict(self, prepared: Sequence[tuple[Any, ...]], prompts: Sequence[str]) -> list[list[FramePrediction]]:
        """As the wrapped predictor, with the mirrored answers as `members`, mirrored back."""
        each = [self._inner.predict([inputs[place] for inputs in prepared], prompts) for place in range(len(FLIPS))]
        return [
            [
                replace(own, members=tuple(_back(other, *flip) for other, flip in zip(others, FLIPS[1:], strict=True)))
                for own, *others in zip(*(answers[frame] for answers in each), strict=True)
            ]
            for frame in range(len(prepared))
        ]


def _flipped_image(image: Image.Image, rows: bool, columns: bool) -> Image.Image:
    image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if rows else image
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if columns else image


def _back(answer: FramePrediction, rows: bool, columns: bool) -> FramePrediction:
    """The answer to a mirrored frame, on the grid of the frame as it is."""
    maps = answer.logits
    maps = maps[:, ::-1] if rows else maps
    return replace(answer, logits=np.ascontiguousarray(maps[:, :, ::-1] if columns else maps))
