"""One picture of a sequence: the darkest it was anywhere, where contrast agent is dark, with all masks united."""

import numpy as np
from PIL import Image

from helpers.cine.frame import CineFrame
from helpers.figures.panels import GroundTruth


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
