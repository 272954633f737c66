"""An annotation whose mask is certain: its size is stated, and no polygon may be a hole."""

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.data.cases import Truth
from helpers.data.truth.ground_truth import PolygonTruth, UnionTruth
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
    for part in truth.parts if isinstance(truth, UnionTruth) else (truth,):
        if isinstance(part, PolygonTruth) and enclosed(part.polygons, width, height):
            raise RefusedInput(
                f"{where}: a polygon lies inside another one, and nothing says whether it is a hole. Export masks of "
                "pixels (run-length codes) in place of polygons"
            )
    return truth.mask(width, height)
