"""Tables of scores from masks that one knows: the truth has 10 pixels, the prediction the first so many of them."""

import numpy as np
import pandas as pd

from helpers.evaluation.score_table import scores_table
from helpers.metrics.case_scores import CaseArrays, score_case

TRUTH = np.zeros((4, 12), bool)
TRUTH[1, 1:11] = True


def found(pixels: int) -> np.ndarray:
    """The first so many of the ten pixels: recall is a tenth of it, precision 1."""
    mask = np.zeros_like(TRUTH)
    mask[1, 1 : 1 + pixels] = True
    return mask


def table(*rows: tuple[str, str | None, str | None, int | None]) -> pd.DataFrame:
    """Scores of (case, sequence, patient, pixels found; None for a failure)."""
    return scores_table(
        score_case(CaseArrays(case, TRUTH, None if pixels is None else found(pixels), sequence, patient))
        for case, sequence, patient, pixels in rows
    )


def of_patients(pixels: list[int | None], frames: int = 2) -> pd.DataFrame:
    """One patient for each number, with `frames` like frames of one sequence."""
    return table(
        *((f"P{i}-F{j}", f"P{i}-S", f"P{i}", number) for i, number in enumerate(pixels) for j in range(frames))
    )


def row_of(found, metric, run=0, part="summary"):
    """The row of a metric among the results of an evaluation."""
    return next(row for row in found.summary["runs"][run][part] if row["metric"] == metric)
