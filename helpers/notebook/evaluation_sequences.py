"""What notebook 03 shows of sequences."""

import pandas as pd
from matplotlib.figure import Figure

from helpers.evaluation.sequence_text import sequence_difference_rows, sequence_rows, stepless_text
from helpers.figures.sequences import sequence_figure
from helpers.notebook.evaluation import Results


def sequence_tables(results: Results) -> tuple[pd.DataFrame, ...]:
    """Means with intervals, a column for each run, and differences from the first; one row that says so without any.

    A table of its own says where sequences have no step from frame to frame.
    """
    found = results.metrics.summary["sequences"]
    if found is None:
        return (pd.DataFrame({"sequences": ["no two neighbouring frames of a sequence were scored"]}),)
    title = f"{found['sequences']} sequences, means of {found['unit']} means; {results.title}"
    tables = [pd.DataFrame(sequence_rows(found), columns=[title, *(run["run"] for run in found["runs"])])]
    if found["comparisons"]:
        columns = [f"{one['second']} less {one['first']}" for one in found["comparisons"]]
        tables.append(pd.DataFrame(sequence_difference_rows(found), columns=["paired", *columns]))
    note = stepless_text(found)
    if note:
        tables.append(pd.DataFrame({"without a step": [note]}))
    return tuple(tables)


def restless_figure(results: Results) -> Figure | None:
    """Curves of the sequence in which the first run flickers most; None where no step between frames was scored."""
    frames, sequences = results.metrics.frames(), results.metrics.sequences()
    if frames is None or sequences is None:
        return None
    own = sequences[(sequences["run"] == results.first) & sequences["flicker"].notna()]
    if own.empty:
        return None
    worst = own.loc[own["flicker"].idxmax(), "sequence"]
    return sequence_figure(
        frames[frames["sequence"] == worst], list(results.scores), f"{worst}, the most flicker; {results.title}"
    )
