"""Films of sequences, as `visualize` makes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.cli.arguments import input_path, optional_input_path

if TYPE_CHECKING:  # so that --help need not wait
    from helpers.data.dataset import Dataset


def write_films(
    runs: Sequence[Path],
    dataset: "Dataset",
    folder: Path,
    *,
    sequences: Sequence[str] | None,
    metrics: Path | None,
    prompt: str | None,
    rate: float,
) -> str:
    """Write the films of runs, the first of which they are about; what to tell the user."""
    folders = [input_path(runs[0], "RUN"), *(input_path(other, "--against") for other in runs[1:])]
    scores = optional_input_path(metrics, "--metrics")

    from helpers.cine.export import PAGE_NAME, write_cine  # here, so that --help need not wait
    from helpers.evaluation.metrics_folder import open_metrics
    from helpers.evaluation.subjects import open_subjects
    from helpers.runs.reading import open_run

    subjects = open_subjects(folders, prompt=prompt or next(iter(open_run(folders[0]).prompts)))
    opened = None if scores is None else open_metrics(scores)
    record = write_cine(subjects, dataset, folder, sequences=sequences, metrics=opened, rate=rate)
    frames = sum(one["frames"] for one in record["sequences"])
    gaps = sum(len(one["gaps"]) for one in record["sequences"])
    return f"{len(record['sequences'])} sequences of {frames} frames, {gaps} gaps: {folder / PAGE_NAME}"
