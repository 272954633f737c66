"""The frames of a sequence as a film shows them: what is there of each, and what is not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import in_sequences
from helpers.evaluation.scored_runs import ScoredRun, require_predicted
from helpers.review.case_panels import frame_and_truth
from helpers.review.figures.panels import GroundTruth


@dataclass(frozen=True)
class CineFrame:
    """One frame of a sequence.

    Attributes:
        case_id: plain name.
        image: mode RGB; None where it cannot be read, which is a gap.
        truth: of the frame's size; None without ground truth that fits.
        masks: of each run, bool (H, W); None where there is none.
        statuses: how the prediction of each run ended.
    """

    case_id: str
    image: Image.Image | None = field(repr=False)
    truth: GroundTruth | None
    masks: tuple[np.ndarray | None, ...] = field(repr=False)
    statuses: tuple[str, ...] = ()


def sequence_cases(dataset: Dataset) -> dict[str, tuple[Case, ...]]:
    """The cases of each sequence of two or more frames, in order of time, gaps included."""
    groups = in_sequences(dataset.cases, lambda case: case.frame)
    named = ((cases[0].frame.sequence, cases) for cases in groups if len(cases) > 1)
    return {sequence: cases for sequence, cases in named if sequence is not None}


def cine_frames(cases: Sequence[Case], subjects: Sequence[ScoredRun]) -> Iterator[CineFrame]:
    """The frames of one sequence, each read when it is its turn.

    Raises:
        RefusedInput: where a frame is not the one that was predicted, or a run's file is damaged.
    """
    for case in cases:
        image, truth = frame_and_truth(case)
        if image is not None:
            require_predicted(case.case_id, image, subjects)
        yield CineFrame(
            case.case_id,
            image,
            truth,
            tuple(None if image is None else subject.mask(case.case_id) for subject in subjects),
            tuple(subject.status(case.case_id) for subject in subjects),
        )


class MaximumOpacity:
    """Gathers frame after frame; frames of another size than the first are left out."""

    def __init__(self, runs: int):
        """Begin a sequence.

        Args:
            runs: how many there are.
        """
        self._darkest: np.ndarray | None = None
        self._truth: GroundTruth | None = None
        self._masks: list[np.ndarray | None] = [None] * runs

    def add(self, frame: CineFrame) -> None:
        """Take a frame; a gap adds nothing."""
        if frame.image is None:
            return
        pixels = np.asarray(frame.image)
        if self._darkest is None:
            self._darkest = pixels.copy()
        if pixels.shape != self._darkest.shape:
            return
        np.minimum(self._darkest, pixels, out=self._darkest)
        self._truth = _together(self._truth, frame.truth)
        self._masks = [_united(one, other) for one, other in zip(self._masks, frame.masks, strict=True)]

    def frame(self, name: str) -> CineFrame | None:
        """The darkest value of each pixel with the union of the truths and of each run's masks; None without frames."""
        if self._darkest is None:
            return None
        statuses = tuple("none in the sequence" if mask is None else "ok" for mask in self._masks)
        return CineFrame(name, Image.fromarray(self._darkest), self._truth, tuple(self._masks), statuses)


def _together(one: GroundTruth | None, other: GroundTruth | None) -> GroundTruth | None:
    """What is vessel in either; what is not scored in either cannot be said to be missed or false."""
    if one is None or other is None:
        return one if other is None else other
    return GroundTruth(one.mask | other.mask, _united(one.ignored, other.ignored))


def _united(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None:
        return one if other is None else other
    return one | other
