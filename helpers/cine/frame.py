"""The frames of a sequence as a film shows them: what is there of each, and what is not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from helpers.data.dataset import Dataset
from helpers.data.frame import in_sequences
from helpers.data.record import Case
from helpers.evaluation.subjects import Subject, require_predicted
from helpers.figures.panels import GroundTruth
from helpers.images.reading import UnreadableImage
from helpers.images.source import read_frame


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
    return {cases[0].frame.sequence: cases for cases in groups if len(cases) > 1}


def cine_frames(cases: Sequence[Case], subjects: Sequence[Subject]) -> Iterator[CineFrame]:
    """The frames of one sequence, each read when it is its turn.

    Raises:
        RefusedInput: where a frame is not the one that was predicted, or a run's file is damaged.
    """
    for case in cases:
        try:
            image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
        except UnreadableImage:  # the runs' status says so
            image = None
        if image is not None:
            require_predicted(case.case_id, image, subjects)
        yield CineFrame(
            case.case_id,
            image,
            None if image is None else GroundTruth.fitting(case.truth, *image.size),
            tuple(None if image is None else subject.mask(case.case_id) for subject in subjects),
            tuple(subject.status(case.case_id) for subject in subjects),
        )
