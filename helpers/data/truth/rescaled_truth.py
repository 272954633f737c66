"""A ground truth that fits itself to frames of other sizes."""

from dataclasses import dataclass

import numpy as np

from helpers.data.cases import Truth, ignored_of, rescaled_ignored_of
from helpers.data.truth.ground_truth import Size
from helpers.data.truth.truth_problem import TruthProblem


@dataclass(frozen=True)
class RescaledTruth:
    """A truth that fits itself to any frame, since the user asked for it.

    Attributes:
        made_for: width and height that it was drawn on by the user's word, where it does not state them.
    """

    given: Truth
    made_for: Size | None = None

    @property
    def size(self) -> Size | None:
        return self.given.size or self.made_for

    def problems(self, width: int | None = None, height: int | None = None) -> tuple[TruthProblem, ...]:
        return self.given.problems(*(self.size or (width, height)))

    def mask(self, width: int, height: int) -> np.ndarray:
        if self.size in (None, (width, height)):
            return self.given.mask(width, height)
        return self.given.rescaled_mask(width, height, self.made_for)

    def rescaled_mask(self, width: int, height: int, made_for: tuple[int, int] | None = None) -> np.ndarray:
        return self.given.rescaled_mask(width, height, self.made_for or made_for)

    def ignored(self, width: int, height: int) -> np.ndarray | None:
        if self.size in (None, (width, height)):
            return ignored_of(self.given, width, height)
        return rescaled_ignored_of(self.given, width, height, self.made_for)

    def rescaled_ignored(self, width: int, height: int, made_for: tuple[int, int] | None = None) -> np.ndarray | None:
        return rescaled_ignored_of(self.given, width, height, self.made_for or made_for)
