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
from helpers.review.figures.panels import GroundTruth, PredictedMask
from helpers.review.payload import CaseView
from helpers.review.review_source import ReviewSource
from helpers.review.verdicts import new_id, now
from helpers.runs.weights import weights_of


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
        UsageProblem: where the case has no such mask, or its frame cannot be read.
        RefusedInput: as `ReviewSource.view`.
    """
    view = source.view(case_id)
    if view.image is None:
        raise UsageProblem(f"{case_id}: expected a frame to correct, and it cannot be read")
    return beginning_of(source, view, began_from)


def beginning_of(source: ReviewSource, view: CaseView, began_from: BeganFrom) -> Beginning:
    """As `beginning`, of a case at hand whose frame can be read."""
    if view.image is None:
        raise UsageProblem(f"{view.case_id}: expected a frame that can be read")
    if began_from is BeganFrom.EMPTY:
        return Beginning(view.case_id, view.image, np.zeros((view.height, view.width), bool), Base(began_from))
    shown: GroundTruth | PredictedMask | None = view.truth if began_from is BeganFrom.TRUTH else None
    if began_from is BeganFrom.PREDICTION and view.predictions[0] is not None:
        shown = view.predictions[0].mask
    if shown is None:
        raise UsageProblem(f"{view.case_id}: expected a {began_from} to begin from, found none. Begin from empty")
    digest = mask_digest(shown.mask)
    if began_from is BeganFrom.TRUTH:
        return Beginning(view.case_id, view.image, shown.mask, Base(began_from, digest))
    scored_run = source.scored_runs[0]
    base = Base(
        began_from,
        digest,
        source.run,
        scored_run.run.config.first_sha256,
        source.prompt,
        source.predictions(view.case_id)[0],
        weights_of(scored_run.model),
    )
    return Beginning(view.case_id, view.image, shown.mask, base)
