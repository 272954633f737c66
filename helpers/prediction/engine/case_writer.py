"""Writes a predicted frame as a case of the run folder."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from helpers.prediction.engine.batch_pipeline import FrameResult
from helpers.prediction.engine.case_result import MODEL_ERRORS, Failure, Thresholding, answered, failed, model_failure
from helpers.runs.case_parts import CaseResult, commit_case


@dataclass(frozen=True)
class Commit:
    """Commits outcomes to a run; safe on several threads at once.

    Attributes:
        run: its folder.
        mark: SHA-256 of its configuration.
        prompts: the user's words by prompt id.
        wanted: case ids; outcomes of others are dropped.
        made_with: of this process, as `making` gives it.
    """

    run: Path
    mark: str
    prompts: Mapping[str, str]
    thresholding: Thresholding
    wanted: frozenset[str]
    made_with: Mapping[str, str | None]

    def __call__(self, outcome: FrameResult) -> bool:
        """Commit one outcome; whether it was wanted. Raises OSError where it cannot be written."""
        if outcome.frame.case_id not in self.wanted:
            return False
        result = result_of(outcome, self.prompts, self.thresholding)
        commit_case(self.run, self.mark, replace(result, source=outcome.source), self.made_with)
        return True


def result_of(outcome: FrameResult, prompts: Mapping[str, str], thresholding: Thresholding) -> CaseResult:
    """What is stored of an outcome; answers that do not fit their frame become a failure of it."""
    frame, facts, found, timing = outcome.frame, outcome.facts, outcome.found, outcome.timing
    if not isinstance(found, Failure):
        try:
            return answered(frame, facts, dict(zip(prompts, found, strict=True)), thresholding, timing)
        except MODEL_ERRORS as error:
            found = model_failure(error, frame)
    return failed(frame, facts, found, tuple(prompts), timing)
