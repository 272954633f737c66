"""A model folder answers the clicks of a review."""

from pathlib import Path

from helpers.prediction.clicks.click_refiner import ClickRefiner
from helpers.review.corrections.clicking import Clicking
from helpers.review.review_source import ReviewSource


def clicking_with(source: ReviewSource, model: Path, device: str = "auto") -> Clicking:
    """The SAM2 of a folder that `convert` wrote, loaded to answer clicks on the cases of a review.

    Raises:
        UsageProblem, RefusedInput: as `helpers.prediction.engine.sam2_part.load_sam2_part`.
    """
    return Clicking(source, ClickRefiner.load(model, device))
