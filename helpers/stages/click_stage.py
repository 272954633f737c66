"""A model folder answers the clicks of a review, and carries its corrections through sequences."""

from pathlib import Path

from helpers.prediction.clicks.click_refiner import ClickRefiner
from helpers.prediction.engine.sam2_part import load_sam2_part
from helpers.prediction.sequences.mask_carrying import MaskCarrier
from helpers.review.corrections.clicking import Clicking
from helpers.review.review_source import ReviewSource


def open_model(source: ReviewSource, model: Path, device: str = "auto") -> tuple[Clicking, MaskCarrier]:
    """The SAM2 of a folder that `convert` wrote, loaded once for the clicks on the cases of a review and for carrying.

    Raises:
        UsageProblem, RefusedInput: as `load_sam2_part`.
    """
    part = load_sam2_part(model, device)
    return Clicking(source, ClickRefiner(part)), MaskCarrier(part)
