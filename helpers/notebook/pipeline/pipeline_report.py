"""Texts that the pipeline prints as it begins, after each step, and at its end."""

from collections.abc import Sequence
from pathlib import Path

from helpers.core.shown_text import aligned
from helpers.evaluation.leakage.standing import title_of
from helpers.evaluation.markdown import each_unit, stands_beside
from helpers.evaluation.metrics_folder import open_metrics
from helpers.metrics.definitions import BY_METRIC, HEADLINE
from helpers.notebook.pipeline.steps import BASELINE_RUN, Beginning, PipelineStep
from helpers.prediction.run_summary import empty_warning
from helpers.runs.run_folder import open_run

_WORK = {
    "01_convert": "the checkpoint becomes a HuggingFace folder",
    "02_infer": "the model predicts every frame",
    BASELINE_RUN: "Frangi's filter predicts every frame, to hold the model against",
    "03_evaluate": "both are scored against the ground truth",
    "04_review": "the review's page is written",
}
REPORT_NAME, REVIEW_NAME = "evaluation.html", "review.html"


def beginning_text(beginning: Beginning) -> str:
    """One line for a step that begins: `2/5 02_infer: the model predicts every frame`."""
    return f"{beginning.number}/{beginning.total} {beginning.name}: {_WORK[beginning.name]}"


def step_text(step: PipelineStep) -> str:
    """One line for a finished step: how long it took, and where its result is."""
    how = "verified and imported" if step.reused else "done"
    return f"    {how} in {step.seconds:.1f} s: {step.result}"


def closing_text(steps: Sequence[PipelineStep]) -> str:
    """The headline table where there was ground truth, and where to look; a run of empty masks is warned of last."""
    results = {step.name: step.result for step in steps}
    warning = empty_warning(open_run(results["02_infer"]))
    lines = [
        f"model, for vesselkit predict --model: {results['01_convert']}",
        f"masks and pictures: {results['02_infer']}",
        f"review by eye, in a browser: {results['04_review'] / REVIEW_NAME}",
    ]
    lines += [] if warning is None else [warning]
    scores = results.get("03_evaluate")
    if scores is None:
        return "\n".join(["no ground truth in the data set: nothing to score", *lines])
    return "\n".join([headline_text(scores), f"report: {scores / REPORT_NAME}", *lines])


def headline_text(metrics: Path) -> str:
    """Whose scores these are, means with 95 % intervals, a column for each run, and the warnings to them."""
    summary = open_metrics(metrics).summary
    runs = summary["runs"]
    rows = [["", *(run["name"] for run in runs)]]
    for metric in HEADLINE:
        found = [next(row for row in run["summary"] if row["metric"] == metric) for run in runs]
        if any(row["mean"] is not None for row in found):
            rows.append([BY_METRIC[metric].title, *(_mean(row) for row in found)])
    rows.append(["failed", *(str(run["outcomes"].get("failed", 0)) for run in runs)])
    return "\n".join([title_of(summary), aligned(rows), *(f"warning: {text}" for text in summary["warnings"])])


def _mean(row: dict) -> str:
    if row["mean"] is None:
        return "-"
    interval = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    notes = [*(f"{unit} {value:.3f}" for unit, value in each_unit(row).items()), *stands_beside(row)]
    return f"{row['mean']:.3f}{interval}" + (f" ({', '.join(notes)})" if notes else "")
