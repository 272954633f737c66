"""Where a correction begins: the mask of a case as it is now, and what the record says of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import BeganFrom
from helpers.data.frames.frame_source import pixel_sha256
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.record import Base, CorrectionRecord, CorrectionTool
from helpers.review.payload import CaseView
from helpers.review.review_source import ReviewSource
from helpers.review.verdicts import new_id, now


@dataclass(frozen=True)
class Beginning:
    """A frame to correct.

    Attributes:
        mask: that it begins with, bool (H, W).
    """

    case_id: str
    image: Image.Image = field(repr=False)
    mask: np.ndarray = field(repr=False)
    base: Base

    def record(
        self,
        reviewer: str,
        mask: np.ndarray | None,
        *,
        seconds: float | None = None,
        tools: Sequence[CorrectionTool] = (),
        truth_seen: bool | None = None,
        after: Sequence[CorrectionRecord] = (),
    ) -> CorrectionRecord:
        """What is to be kept of a corrected mask, made now.

        Args:
            mask: bool (H, W) as the frame; None to take the reader's correction back.
            after: the reader's records so far, which are earlier ones also where the clock was set back.
        """
        width, height = self.image.size
        return CorrectionRecord(
            new_id(),
            now(after),
            reviewer,
            self.case_id,
            pixel_sha256(self.image),
            width,
            height,
            self.base,
            None if mask is None else mask_digest(mask),
            seconds,
            tuple(dict.fromkeys(tools)),
            truth_seen,
        )


def beginning(source: ReviewSource, case_id: str, began_from: BeganFrom) -> Beginning:
    """The mask that a correction of a case begins with.

    Raises:
        UsageProblem: where the case has no such mask, or its frame cannot be read; for a carried mask, which is not of
            the case but of a reader.
        RefusedInput: as `ReviewSource.view`.
    """
    view = source.view(case_id)
    if view.image is None:
        raise UsageProblem(f"{case_id}: expected a frame to correct, and it cannot be read")
    base, mask = view.bases.get(began_from), _mask(view, began_from)
    if base is None or mask is None:
        if began_from is BeganFrom.CARRIED:
            raise UsageProblem(f"{case_id}: a carried mask is a reader's own. Take it with `CarriedMasks.accept`")
        raise UsageProblem(f"{case_id}: expected a {began_from} to begin from, found none. Begin from empty")
    return Beginning(case_id, view.image, mask, base)


def _mask(view: CaseView, began_from: BeganFrom) -> np.ndarray | None:
    match began_from:
        case BeganFrom.EMPTY:
            return np.zeros((view.height, view.width), bool)
        case BeganFrom.TRUTH:
            return None if view.truth is None else view.truth.mask
        case BeganFrom.PREDICTION:
            shown = view.predictions[0]
            return None if shown is None or shown.mask is None else shown.mask.mask
        case BeganFrom.CARRIED:
            return None  # not of the case, but of a reader, who is not told
