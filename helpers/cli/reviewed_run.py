"""A run as the commands of the review open it, with its data set and its scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.cli.arguments import input_path, optional_input_path

if TYPE_CHECKING:  # so that --help need not wait
    from helpers.data.dataset import Dataset
    from helpers.review.review_source import ReviewSource


def source_of(
    run: Path,
    dataset: "Dataset",
    metrics: Path | None,
    prompt: str | None,
    against: Path | None,
    beside: Sequence[Path] = (),
) -> "ReviewSource":
    """What is reviewed.

    Args:
        run: folder of the run, as typed.
        metrics: folder of its evaluation, as typed; None for none.
        prompt: id of a prompt; None for the run's first.
        against: run to show in its place.
        beside: runs to show beside it.
    Raises:
        UsageProblem: where a folder is not there.
        RefusedInput: where data set or scores are not those of the run.
    """
    from helpers.evaluation.metrics_folder import open_metrics
    from helpers.review.review_source import open_source

    scores = optional_input_path(metrics, "--metrics")
    opened = None if scores is None else open_metrics(scores)
    folder = input_path(run, "RUN")
    return open_source(folder, dataset, against=against, beside=beside, metrics=opened, prompt=prompt)
