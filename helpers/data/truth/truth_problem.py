"""Problems of a ground truth, with their kind and advice, decided where they are found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from helpers.core.shown_text import counted

_FIT = "export frame and annotation at the same size, or ask for rescaling"
# How far beyond the border a polygon reaches, as a share of the side, before another image size explains it better.
_OTHER_SIZE = 0.05


class ProblemKind(StrEnum):
    """The kinds, by the names that a data check writes."""

    MASK_NOT_BINARY = "mask_not_binary"
    SIZE_MISMATCH = "size_mismatch"
    OUT_OF_BOUNDS = "out_of_bounds"
    FEW_POINTS = "few_points"
    BROKEN_TRUTH = "broken_truth"

    @property
    def is_remark(self) -> bool:
        """Whether the mask can be drawn all the same."""
        return self is ProblemKind.MASK_NOT_BINARY


@dataclass(frozen=True)
class TruthProblem:
    """One thing that is wrong with a ground truth.

    Attributes:
        text: what was found, without names, such as `polygon 2 has 2 points`.
        advice: what to do about it.
    """

    text: str
    kind: ProblemKind = ProblemKind.BROKEN_TRUTH
    advice: str = "correct the annotation"

    def within(self, part: str) -> "TruthProblem":
        """The same problem of a part, such as `polygon 2`."""
        return replace(self, text=f"{part} {self.text}")


def not_binary(text: str) -> TruthProblem:
    """A mask file of greys or colours, which can be drawn all the same."""
    return TruthProblem(text, ProblemKind.MASK_NOT_BINARY, "save masks as PNG with 0 and 255 alone")


def size_mismatch(own: tuple[int, int], frame: tuple[int, int]) -> TruthProblem:
    """An annotation of another size, both (width, height) in pixels."""
    text = f"made for {own[0]}x{own[1]}, the frame is {frame[0]}x{frame[1]}"
    return TruthProblem(text, ProblemKind.SIZE_MISMATCH, _FIT)


def few_points(points: int) -> TruthProblem:
    """A polygon of fewer than three points."""
    text = f"has {counted(points, 'point')}"
    return TruthProblem(text, ProblemKind.FEW_POINTS, "a polygon needs 3 points: complete or remove it")


def below_zero(axis: str, least: float) -> TruthProblem:
    """A polygon that begins left of the image or above it."""
    return _outside(f"reaches {axis}={least:g}, outside the image")


def beyond(axis: str, most: float, limit: int, side: str) -> TruthProblem:
    """A polygon that leaves the image; where it does so by far, another image size explains it better.

    Args:
        axis: x or y.
        most: the largest coordinate, in pixels.
        limit: side of the image, in pixels; `side` says which, `wide` or `high`.
    """
    text = f"reaches {axis}={most:g} on a {limit} px {side} image"
    if most > limit * (1 + _OTHER_SIZE):
        return TruthProblem(text, ProblemKind.SIZE_MISMATCH, f"it seems made for a larger image: {_FIT}")
    return _outside(text)


def texts(problems: Iterable[TruthProblem]) -> tuple[str, ...]:
    """What was found, without kinds and advice."""
    return tuple(problem.text for problem in problems)


def _outside(text: str) -> TruthProblem:
    return TruthProblem(text, ProblemKind.OUT_OF_BOUNDS, "move the polygon into the image")
