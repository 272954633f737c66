"""Clicks of a reviewer become masks: a message of the viewer in, a message out.

A message asks, as a JSON object:

| field | content |
| --- | --- |
| `case_id` | the case |
| `points` | all since it began: a list of `[x, y, label]` in pixels, `label` 1 on the vessel, 0 beside it |
| `box` | `[x1, y1, x2, y2]`; null or absent for none |
| `mask` | the mask so far, as `truth` of a payload (docs/review.md); null or absent for none |

Without point, box and mask the frame is read ahead, so that the first click need not wait for it. The reply:

| field | content |
| --- | --- |
| `masks` | masks in the same form, the best first: three for one click alone, else one; none of a frame read ahead |
| `predicted_iou` | the model's own estimate for each, 0 .. 1 |
| `weights` | fingerprint of the model, for `click_weights` of the record |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.evaluation.scored_runs import require_predicted
from helpers.metrics.case_scores import mask_digest
from helpers.review.packed_masks import unpacked
from helpers.review.payload import packed
from helpers.review.review_source import ReviewSource
from helpers.runs.weights import weights_of

_ANSWERS_KEPT = 32  # masks with their logits, 256 KB each


class AnswersClicks(Protocol):
    """What turns clicks into masks, as `helpers.prediction.clicks.click_refiner.ClickRefiner`."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON object that says which weights answer."""

    def open(self, image: Image.Image) -> Any:
        """Read a frame, or find it among the last ones."""

    def answer(
        self,
        image: Image.Image,
        *,
        points: list[tuple[float, float]],
        labels: list[int],
        box: list[float] | None,
        mask: np.ndarray | None,
        logits: np.ndarray | None,
    ) -> Any:
        """Masks of one object with `logits` (n, H, W), `predicted_iou` (n,) and `low_resolution` (n, h, w)."""


@dataclass
class Clicking:
    """The clicks on the cases of a review.

    The last answers on a case are remembered: where such a mask comes back as it was, also after an undo, its logits go
    in, which say more.
    """

    source: ReviewSource
    model: AnswersClicks
    _frame: tuple[str, Image.Image] | None = field(default=None, repr=False)
    _answered: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def weights(self) -> str | None:
        """Fingerprint of the model, as of runs."""
        return weights_of(self.model.identity)

    def reply(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a message, see above.

        Raises:
            UsageProblem: for a message of another form, a case that the run does not have, or a frame that cannot be
                read.
            RefusedInput: where the frame is not the one that was predicted.
        """
        case_id = asked.get("case_id")
        if not isinstance(case_id, str):
            raise UsageProblem("expected the id of a case to click on")
        image = self._image(case_id)
        points, labels = _points(asked.get("points") or [])
        box = _box(asked.get("box"))
        mask = None if asked.get("mask") is None else unpacked(asked["mask"], image.height, image.width)
        if mask is not None and not mask.any():
            mask = None  # nothing was drawn yet, which says nothing of the vessel
        if not points and box is None:
            self.model.open(image)
            return {"masks": [], "predicted_iou": [], "weights": self.weights}
        logits = None if mask is None else self._answered.get(mask_digest(mask))
        found = self.model.answer(
            image, points=points, labels=labels, box=box, mask=None if logits is not None else mask, logits=logits
        )
        best_first = np.argsort(-found.predicted_iou, kind="stable")
        masks = found.logits[best_first] > 0
        for one, low in zip(masks, found.low_resolution[best_first], strict=True):
            self._answered[mask_digest(one)] = low
        for digest in list(self._answered)[:-_ANSWERS_KEPT]:
            del self._answered[digest]
        return {
            "masks": [packed(mask) for mask in masks],
            "predicted_iou": [float(value) for value in found.predicted_iou[best_first]],
            "weights": self.weights,
        }

    def _image(self, case_id: str) -> Image.Image:
        """The frame of a case; that of the last click is at hand."""
        if self._frame is None or self._frame[0] != case_id:
            if case_id not in {case.case_id for case in self.source.cases}:
                raise UsageProblem(f"expected a case of the run to click on, got {case_id!r}")
            frame = self.source.data_cases[case_id].frame
            try:
                image = read_frame(frame.path, frame.index, frame.bits)
            except UnreadableImage as error:
                raise UsageProblem(f"{case_id}: expected a frame to click on, and it cannot be read") from error
            require_predicted(case_id, image, (*self.source.scored_runs, *self.source.beside))
            self._frame, self._answered = (case_id, image), {}
        return self._frame[1]


def _points(given: Any) -> tuple[list[tuple[float, float]], list[int]]:
    if not isinstance(given, list) or not all(isinstance(one, list) and len(one) == 3 for one in given):
        raise UsageProblem("points: expected a list of [x, y, label]")
    numbers = [_numbers(one[:2], "points") for one in given]
    if any(one[2] not in (0, 1) for one in given):
        raise UsageProblem("points: expected label 1 on the vessel or 0 beside it")
    return [(x, y) for x, y in numbers], [int(one[2]) for one in given]


def _box(given: Any) -> list[float] | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != 4:
        raise UsageProblem("box: expected [x1, y1, x2, y2]")
    return _numbers(given, "box")


def _numbers(given: list[Any], what: str) -> list[float]:
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in given):
        raise UsageProblem(f"{what}: expected numbers of pixels")
    return [float(one) for one in given]
