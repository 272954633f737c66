"""The words of temporal scores."""

from collections.abc import Mapping
from typing import Any

from helpers.evaluation.markdown import escaped, p_text, table, written_mean
from helpers.evaluation.temporal import TEMPORAL


def sequence_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Temporal scores: a metric's title, then a mean with its interval for each run.

    Args:
        found: `sequences` of a summary, not null.
    """
    tables = [{row["metric"]: {**row, "unit": found["unit"]} for row in run["metrics"]} for run in found["runs"]]
    return [[metric.title, *(written_mean(table[metric.name]) for table in tables)] for metric in TEMPORAL]


def sequence_difference_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """The same for differences from the first run; a text for each other run, with its p-value."""
    rows = []
    for metric in TEMPORAL:
        texts = []
        for one in found["comparisons"]:
            row = next(row for row in one["metrics"] if row["metric"] == metric.name)
            p = "" if row["p_sign_flip_holm"] is None else f", p {p_text(row['p_sign_flip_holm'])}"
            texts.append(written_mean({**row, "mean": row["difference"], "unit": found["unit"]}) + p)
        rows.append([metric.title, *texts])
    return rows


def stepless_text(found: Mapping[str, Any]) -> str:
    """How many sequences have no step from frame to frame; empty where all have one.

    Args:
        found: `sequences` of a summary, not null.
    """
    count = found.get("stepless", 0)
    if not count:
        return ""
    return (
        f"{count} of {found['sequences']} sequences have no two neighbouring frames of one size, so that nothing is "
        "said of their changes from frame to frame"
    )


def sequences_text(found: Mapping[str, Any] | None, heading: str = "Sequences") -> str:
    """The section of `summary.md` on sequences; empty where there are none.

    Args:
        found: `sequences` of a summary.
        heading: in Markdown.
    """
    if found is None:
        return ""
    names = [escaped(run["run"]) for run in found["runs"]]
    parts = [
        f"## {heading}\n\n{found['sequences']} sequences, means of {found['unit']} means. Frames are neighbours where "
        "nothing lies between them in the data set." + (f" {stepless_text(found)}." if stepless_text(found) else ""),
        table(["", *names], sequence_rows(found)),
    ]
    if found["comparisons"]:
        others = [f"{escaped(one['second'])} less {escaped(one['first'])}" for one in found["comparisons"]]
        shown = table(["", *others], sequence_difference_rows(found))
        parts += ["Paired, with Holm's correction over these metrics:", shown]
    parts.append("\n".join(f"* {metric.title}: {metric.text} (better: {metric.better})" for metric in TEMPORAL))
    return "\n\n".join(parts)
