"""An annotation whose mask is certain: its size is stated, and no polygon may be a hole."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.data.cases import Truth
from helpers.data.truth.ground_truth import PolygonTruth, UnionTruth
from helpers.data.truth.shape_labels import LabelledTruth, united
from helpers.data.truth.shapes import enclosed


def mask_of(where: str, truth: Truth) -> np.ndarray:
    """The mask of an annotation in the size that it states, bool (H, W).

    Args:
        where: file and place, for messages.
    Raises:
        RefusedInput: where the size is not stated, the annotation is broken, or a polygon lies inside another one,
            which may be a hole.
    """
    if truth.size is None:
        raise RefusedInput(f"{where}: expected the width and height of the image, found none. Export them too")
    width, height = truth.size
    problems = [problem for problem in truth.problems(width, height) if not problem.kind.is_remark]
    if problems:
        raise RefusedInput(f"{where}: expected shapes that can be drawn: {problems[0].text}. Correct them in the tool")
    for part in _drawn(truth):
        if isinstance(part, PolygonTruth) and enclosed(part.polygons, width, height):
            raise RefusedInput(
                f"{where}: a polygon lies inside another one, and nothing says whether it is a hole. Export masks of "
                "pixels (run-length codes) in place of polygons"
            )
    return truth.mask(width, height)


def _drawn(truth: Truth) -> Sequence[Truth]:
    """The parts of an annotation that are vessel, with all polygons of one label together."""
    if isinstance(truth, UnionTruth):
        return truth.parts
    if isinstance(truth, LabelledTruth) and truth.choice is not None:
        vessel = truth.choice.vessel
        return (united(replace(truth, parts=tuple(part for part in truth.parts if part[0] in vessel))),)
    return (truth,)
