"""Truths of cases brought to the size of their frames."""

from collections.abc import Sequence
from dataclasses import replace

from helpers.core.progress import track
from helpers.data.cases import Case
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.truth.ground_truth import Size
from helpers.data.truth.rescaled_truth import RescaledTruth


def rescaled_cases(cases: Sequence[Case]) -> tuple[list[Case], int]:
    """The cases with truths that fit their frames, and how many did not before. Reads the size of each frame."""
    fitted, count = [], 0
    for case in track(cases, "sizes", unit="frame"):
        truth = case.truth
        if truth is not None and truth.size is not None and truth.size != _size(case, truth.size):
            count += 1
            case = replace(case, truth=RescaledTruth(truth))
        fitted.append(case)
    return fitted, count


def cases_drawn_on(cases: Sequence[Case], size: Size) -> tuple[list[Case], int]:
    """The cases with truths of no stated size taken as made for `size`, and how many of these change by it.

    Args:
        size: width and height in pixels.
    """
    fitted, count = [], 0
    for case in track(cases, "sizes", unit="frame"):
        if case.truth is not None and case.truth.size is None:
            count += _size(case, size) != size
            case = replace(case, truth=RescaledTruth(case.truth, size))
        fitted.append(case)
    return fitted, count


def _size(case: Case, otherwise: Size) -> Size:
    """Width and height of a case's frame, or `otherwise` where it cannot be read: prediction and audit say so."""
    try:
        return read_frame(case.frame.path, case.frame.index, case.frame.bits).size
    except UnreadableImage:
        return otherwise
