"""A case as the four panels show it: its frame, its ground truth, a predicted mask, and its scores."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.cases import Case
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.evaluation.leakage.standing import standing_note
from helpers.review.figures.panels import GroundTruth, PanelCase, PredictedMask

_SHOWN_SCORES = {"Dice": "dice", "clDice": "cldice", "HD95 px": "hd95_px"}
_NO_TRUTH = "no ground truth"
_BROKEN_TRUTH = "the ground truth does not fit its frame, or cannot be read: see the data check"
_NO_FRAME = "not shown: its frame cannot be read"


def frame_and_truth(case: Case) -> tuple[Image.Image | None, GroundTruth | None]:
    """The frame in RGB, None where it cannot be read, and its ground truth, None where none can be drawn on it.

    An error would name the file; the data check and the run's status say what is wrong.
    """
    try:
        image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
    except UnreadableImage:
        return None, None
    return image, truth_of(case, *image.size)[0]


def truth_of(case: Case, width: int, height: int, has_frame: bool = True) -> tuple[GroundTruth | None, str | None]:
    """The ground truth of a frame of that size in pixels, or why there is none to show.

    Args:
        has_frame: whether the size is that of a frame that could be read.
    """
    if case.truth is None:
        return None, _NO_TRUTH
    try:
        return GroundTruth.of(case.truth, width, height), None
    except RefusedInput:
        return None, _BROKEN_TRUTH if has_frame else _NO_FRAME


def case_panel(case: Case, mask: np.ndarray | None, status: str) -> PanelCase | None:
    """What the picture of a case shows; None where its frame cannot be read.

    Args:
        mask: of the prediction, bool (H, W) as the frame; None where there is none.
        status: how the prediction ended.
    Raises:
        UsageProblem: where the mask has another size than the frame.
    """
    image, truth = frame_and_truth(case)
    if image is None:
        return None
    return PanelCase(image, truth, None if mask is None else PredictedMask(mask), case.case_id, status)


def with_scores(panel: PanelCase, row: Mapping[str, Any], standing: str | None) -> PanelCase:
    """The panels with Dice, clDice and HD95 in their title.

    Args:
        row: metric -> score of the case; those that it lacks are left out, None and NaN are shown as unknown.
        standing: how the patient stands to the training data, see `helpers.evaluation.leakage.standing`.
    """
    scores = {title: row.get(metric) for title, metric in _SHOWN_SCORES.items() if metric in row}
    return replace(panel, scores=scores, note=standing_note(standing))
