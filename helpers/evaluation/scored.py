"""What was scored, so that scores of what a run no longer says are not shown beside what it says now."""

from collections.abc import Sequence

import numpy as np

from helpers.errors import RefusedInput
from helpers.evaluation.case_scores import mask_digest
from helpers.evaluation.metrics_folder import Metrics
from helpers.evaluation.subjects import Subject
from helpers.runs.reading import open_run


def require_unchanged(subjects: Sequence[Subject]) -> None:
    """Raise RefusedInput where a run is not what it was when the subjects were opened."""
    for run in {subject.run.folder: subject.run for subject in subjects}.values():
        if open_run(run.folder).manifest["files"] != run.manifest["files"]:
            raise RefusedInput(
                f"{run.folder}: expected the run as it was when the work began, found it predicted again meanwhile. "
                "Give the same command again"
            )


def name_in(metrics: Metrics, subject: Subject) -> str | None:
    """The name that a subject's run and prompt have in a metrics folder; None where it has no scores of them."""
    wanted = (subject.run.config.config_sha256, subject.prompt_id)
    found = [one["name"] for one in metrics.summary["runs"] if (one["config_sha256"], one["prompt_id"]) == wanted]
    return found[0] if found else None


def outdated(metrics: Metrics, name: str, subject: Subject) -> frozenset[str]:
    """Cases whose scores under a name are of something else than what the subject's run says of them now.

    Metrics folders of earlier versions say only which mask was scored; then masks are compared.
    """
    scored = metrics.predictions(name)
    if scored is not None:
        return frozenset(case_id for case_id, found in scored.items() if found != subject.prediction(case_id))
    found = set()
    for row in metrics.scores(name).itertuples():
        mask = subject.mask(row.case_id)
        shown = np.zeros((row.height, row.width), bool) if mask is None else mask
        if mask_digest(shown) != row.prediction_digest:
            found.add(row.case_id)
    return frozenset(found)
