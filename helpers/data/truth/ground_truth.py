"""Ground truth as its source holds it: polygons, mask files, run-length codes. Each is rasterised only when asked for.

Every truth lists its own `problems` without raising, so that an audit sees all of them; `mask` refuses what has one
that cannot be drawn faithfully. Nothing is resized silently: `mask` refuses another size, `rescaled_mask` is asked by
name.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.cases import Truth, ignored_of, rescaled_ignored_of
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.truth.mask_file import Drawn, MaskSurvey, Undecided, draw, mask_size, read_plane
from helpers.data.truth.mask_values import DECIDE, NOTHING, Judgement
from helpers.data.truth.shapes import BadRle, code_size, decode, draw_polygons, polygon_problems
from helpers.data.truth.truth_problem import TruthProblem, not_binary, size_mismatch, texts

Size = tuple[int, int]


@dataclass(frozen=True)
class BrokenTruth:
    """An annotation that cannot be read. `reason` says why, without names."""

    reason: str
    size: Size | None = None

    def problems(self, width: int | None = None, height: int | None = None) -> tuple[TruthProblem, ...]:
        return (TruthProblem(self.reason),)

    def mask(self, width: int, height: int) -> np.ndarray:
        _refuse(self.reason)

    def rescaled_mask(self, width: int, height: int, made_for: Size | None = None) -> np.ndarray:
        _refuse(self.reason)


@dataclass(frozen=True)
class PolygonTruth:
    """The union of polygons; none at all is an empty mask.

    Attributes:
        polygons: each x0, y0, x1, y1, ... in pixels.
        size: width and height that the source states; None where it does not.
        objects: for each polygon, the object that it is a part of; empty where all are parts of one.
    """

    polygons: tuple[tuple[float, ...], ...] = field(repr=False)
    size: Size | None = None
    objects: tuple[Hashable, ...] = field(default=(), repr=False)

    def problems(self, width: int | None = None, height: int | None = None) -> tuple[TruthProblem, ...]:
        width, height = _frame_size(self.size, width, height)
        problems = _size_problems(self.size, width, height)
        for number, polygon in enumerate(self.polygons, 1):
            problems += tuple(
                problem.within(f"polygon {number}") for problem in polygon_problems(polygon, width, height)
            )
        return problems

    def mask(self, width: int, height: int) -> np.ndarray:
        problems = self.problems(width, height)
        if problems:
            _refuse("; ".join(texts(problems[:3])))
        return draw_polygons(self.polygons, width, height)

    def rescaled_mask(self, width: int, height: int, made_for: Size | None = None) -> np.ndarray:
        source = self.size or made_for
        if source is None:
            _refuse("the annotation does not say what image size it was made for; state it")
        problems = self.problems(*source)
        if problems:
            _refuse("; ".join(texts(problems[:3])))
        scale = (width / source[0], height / source[1])
        scaled = [(np.reshape(polygon, (-1, 2)) * scale).ravel() for polygon in self.polygons]
        return draw_polygons(scaled, width, height)


@dataclass(frozen=True)
class RleTruth:
    """The union of COCO run-length codes, compressed or plain; one at least, all of the same image."""

    codes: tuple[Mapping[str, Any], ...] = field(repr=False)

    @property
    def size(self) -> Size | None:
        try:
            height, width = code_size(self.codes[0])
        except BadRle:
            return None
        return width, height

    def problems(self, width: int | None = None, height: int | None = None) -> tuple[TruthProblem, ...]:
        problems = _size_problems(self.size, *_frame_size(self.size, width, height))
        if problems:  # codes of an absurd size are not drawn just to look for more
            return problems
        for number, code in enumerate(self.codes, 1):
            try:
                if decode(code).shape[::-1] != self.size:
                    problems += (TruthProblem(f"run-length code {number} is of another size than the first"),)
            except BadRle as error:
                problems += (TruthProblem(f"run-length code {number}: {error}"),)
        return problems

    def mask(self, width: int, height: int) -> np.ndarray:
        problems = self.problems(width, height)
        if problems:
            _refuse("; ".join(texts(problems[:3])))
        united = np.zeros((height, width), dtype=bool)
        for code in self.codes:
            united |= decode(code)
        return united

    def rescaled_mask(self, width: int, height: int, made_for: Size | None = None) -> np.ndarray:
        if self.size is None:
            _refuse("; ".join(texts(self.problems()[:3])))
        return _nearest(self.mask(*self.size), width, height)


@dataclass(frozen=True)
class MaskFileTruth:
    """A mask in an image file, read by `helpers.data.truth.mask_file`.

    Attributes:
        survey: of all mask files of the data set; None where this one stands alone.
    """

    path: Path = field(repr=False)
    survey: MaskSurvey | None = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> Size | None:
        try:
            return mask_size(self.path)
        except UnreadableImage:
            return None

    def problems(self, width: int | None = None, height: int | None = None) -> tuple[TruthProblem, ...]:
        try:
            drawn = self._drawn()
        except UnreadableImage as error:
            return (TruthProblem(f"the mask cannot be read: {error.reason}"),)
        except Undecided as error:
            return (TruthProblem(str(error)),)
        return _size_problems(drawn.mask.shape[::-1], width, height) + tuple(map(not_binary, drawn.remarks))

    def mask(self, width: int, height: int) -> np.ndarray:
        return self._fitting(width, height).mask

    def ignored(self, width: int, height: int) -> np.ndarray | None:
        return self._fitting(width, height).ignored if self._may_ignore else None

    def rescaled_mask(self, width: int, height: int, made_for: Size | None = None) -> np.ndarray:
        return _nearest(self._understood().mask, width, height)

    def rescaled_ignored(self, width: int, height: int, made_for: Size | None = None) -> np.ndarray | None:
        ignored = self._understood().ignored if self._may_ignore else None
        return None if ignored is None else _nearest(ignored, width, height)

    @property
    def _may_ignore(self) -> bool:
        """Whether any value is ignored: else the file need not be read to say so."""
        return self.survey is not None and bool(self.survey.choice.ignore)

    def _fitting(self, width: int, height: int) -> Drawn:
        drawn = self._understood()
        mismatch = _size_problems(drawn.mask.shape[::-1], width, height)
        if mismatch:
            _refuse(mismatch[0].text)
        return drawn

    def _understood(self) -> Drawn:
        """The file's pixels; `RefusedInput` where it is open what they mean."""
        try:
            return self._drawn()
        except Undecided as error:
            raise RefusedInput(f"the ground truth of this frame cannot be used: {error}") from error

    def _drawn(self) -> Drawn:
        plane = read_plane(self.path)
        if self.survey is None:
            choice, judgement = NOTHING, Judgement()
        else:
            choice, judgement = self.survey.choice, self.survey.judgement
        if judgement.reason is not None:
            raise Undecided(judgement.reason)
        try:
            return draw(plane, choice, judgement.highest)
        except Undecided as error:
            raise Undecided(f"{error}. {DECIDE}") from error


@dataclass(frozen=True)
class UnionTruth:
    """The union of truths of different kinds on the same image."""

    parts: tuple[Truth, ...]

    @property
    def size(self) -> Size | None:
        return next((part.size for part in self.parts if part.size is not None), None)

    def problems(self, width: int | None = None, height: int | None = None) -> tuple[TruthProblem, ...]:
        width, height = _frame_size(self.size, width, height)
        return tuple(dict.fromkeys(problem for part in self.parts for problem in part.problems(width, height)))

    def mask(self, width: int, height: int) -> np.ndarray:
        return np.logical_or.reduce([part.mask(width, height) for part in self.parts])

    def rescaled_mask(self, width: int, height: int, made_for: Size | None = None) -> np.ndarray:
        source = self.size or made_for
        return np.logical_or.reduce([part.rescaled_mask(width, height, source) for part in self.parts])

    def ignored(self, width: int, height: int) -> np.ndarray | None:
        return _united(ignored_of(part, width, height) for part in self.parts)

    def rescaled_ignored(self, width: int, height: int, made_for: Size | None = None) -> np.ndarray | None:
        source = self.size or made_for
        return _united(rescaled_ignored_of(part, width, height, source) for part in self.parts)


def _united(masks: Iterable[np.ndarray | None]) -> np.ndarray | None:
    masks_given = [mask for mask in masks if mask is not None]
    return np.logical_or.reduce(masks_given) if masks_given else None


def _frame_size(own: Size | None, width: int | None, height: int | None) -> tuple[int | None, int | None]:
    if width is None or height is None:
        return own or (None, None)
    return width, height


def _size_problems(own: Size | None, width: int | None, height: int | None) -> tuple[TruthProblem, ...]:
    if own is None or width is None or height is None or own == (width, height):
        return ()
    return (size_mismatch(own, (width, height)),)


def _nearest(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)) > 0


def _refuse(reason: str) -> NoReturn:
    raise RefusedInput(f"the ground truth of this frame cannot be used: {reason}. Correct the annotation")
