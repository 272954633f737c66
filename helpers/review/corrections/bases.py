"""What a correction of a case can begin from, as its record will say it."""

import numpy as np

from helpers.core.vocabulary import BeganFrom
from helpers.evaluation.scored_runs import ScoredRun
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.record import Base
from helpers.runs.finishing import TABLE_NAME
from helpers.runs.weights import weights_of


def bases_of(
    scored_run: ScoredRun, case_id: str, mask: np.ndarray | None, truth: np.ndarray | None
) -> dict[BeganFrom, Base]:
    """The bases that a case has: of the prediction first, then of its ground truth, and the empty one.

    Args:
        scored_run: the run that is reviewed, which has the case.
        mask: that it predicted, bool (H, W); None where there is none.
        truth: bool (H, W); None where there is none.
    """
    found = dict[BeganFrom, Base]()
    if mask is not None:
        found[BeganFrom.PREDICTION] = Base(
            BeganFrom.PREDICTION,
            mask_digest(mask),
            scored_run.run.manifest["files"][TABLE_NAME],
            scored_run.run.config.first_sha256,
            scored_run.prompt_id,
            scored_run.prediction(case_id),
            weights_of(scored_run.model),
        )
    if truth is not None:
        found[BeganFrom.TRUTH] = Base(BeganFrom.TRUTH, mask_digest(truth))
    return found | {BeganFrom.EMPTY: Base(BeganFrom.EMPTY)}
