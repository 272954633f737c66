"""Turns a predicted frame into a case of the run folder, or into the same result in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from helpers.core.vocabulary import Combine
from helpers.prediction.engine.batch_pipeline import FrameResult, predict_batch
from helpers.prediction.engine.case_result import MODEL_ERRORS, Failure, Thresholding, answered, failed, model_failure
from helpers.prediction.engine.io_threads import Loaded
from helpers.prediction.predictor import Predictor
from helpers.runs.asked_prompts import AskedPrompts
from helpers.runs.case_parts import CaseResult, commit_case
from helpers.runs.stored_maps import combined_map


@dataclass(frozen=True)
class Commit:
    """Commits outcomes to a run; safe on several threads at once.

    Attributes:
        run: its folder.
        mark: SHA-256 of its configuration.
        prompts: what is asked of the cases.
        wanted: case ids; outcomes of others are dropped.
        made_with: of this process, as `making` gives it.
        committed: told the case id of each.
    """

    run: Path
    mark: str
    prompts: AskedPrompts
    thresholding: Thresholding
    wanted: frozenset[str]
    made_with: Mapping[str, str | None]
    committed: Callable[[str], None]

    def __call__(self, outcome: FrameResult) -> bool:
        """Commit one outcome; whether it was wanted. Raises OSError where it cannot be written."""
        if outcome.frame.case_id not in self.wanted:
            return False
        result = result_of(outcome, self.prompts.of(outcome.frame.case_id), self.thresholding)
        commit_case(self.run, self.mark, replace(result, source=outcome.source), self.made_with)
        self.committed(outcome.frame.case_id)
        return True


def result_of(outcome: FrameResult, prompts: Mapping[str, str], thresholding: Thresholding) -> CaseResult:
    """What is stored of an outcome; answers that do not fit their frame become a failure of it.

    Args:
        prompts: that were asked of its frame, the user's words by prompt id.
    """
    frame, facts, found, timing = outcome.frame, outcome.facts, outcome.found, outcome.timing
    if not isinstance(found, Failure):
        assert facts is not None  # it was read, else there is a failure
        try:
            return answered(frame, facts, dict(zip(prompts, found, strict=True)), thresholding, timing)
        except MODEL_ERRORS as error:
            found = model_failure(error, frame)
    return failed(frame, facts, found, tuple(prompts), timing)


def results_of(
    predictor: Predictor, loaded: Sequence[Loaded], prompts: Mapping[str, str], thresholding: Thresholding
) -> list[CaseResult]:
    """Predict one batch; what a run would store of each of its frames.

    Args:
        prompts: the user's words by prompt id.
    """
    outcomes = predict_batch(predictor, loaded, AskedPrompts(prompts))
    return [result_of(outcome, prompts, thresholding) for outcome in outcomes]


def full_map(result: CaseResult, prompt_id: str, combine: Combine) -> np.ndarray | None:
    """The logits behind the combined mask, float32 (H, W), as `Run.full_map` gives them; None where there are none."""
    stored = result.logits.get(prompt_id)
    if stored is None:
        return None
    iou = np.array([row.predicted_iou for row in result.rows if row.prompt_id == prompt_id], float)
    return combined_map(stored.full_size(), combine, iou)
