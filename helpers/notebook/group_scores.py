"""Scores by group in notebook 03: a table for people, and a figure."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from helpers.evaluation.groups import group_notes, group_rows
from helpers.notebook.evaluate_notebook import Results
from helpers.notebook.evaluation_tables import with_warnings
from helpers.review.figures.score_figures import group_figure


def group_tables(results: Results) -> tuple[pd.DataFrame, ...]:
    """Means of each group and run with what they rest on, below what training data they were scored on; then notes.

    One row that says so where no groups were asked for.
    """
    record = _record(results)
    if record is None:
        return (pd.DataFrame({"groups": ["none asked for"]}),)
    columns = [f"groups by {record['column']}, exploratory", "metric", *results.scores, "rests on"]
    table = with_warnings(pd.DataFrame(group_rows(record), columns=columns), results.training_warnings, results.title)
    return table, pd.DataFrame({"about the groups": group_notes(record)})


def group_figures(results: Results) -> dict[str, Figure]:
    """`groups` -> Dice and clDice of each group; none where no groups were asked for."""
    record = _record(results)
    return {} if record is None else {"groups": group_figure(record, results.title)}


def _record(results: Results) -> Mapping[str, Any] | None:
    """The groups of an evaluation; older ones know none."""
    return results.metrics.summary.get("groups")
