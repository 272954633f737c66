"""Runs whose masks are all empty: a finished run that predicted nothing looks like any other."""

from helpers.runs.run_folder import Run
from helpers.runs.status import FAILURES


def empty_warning(run: Run) -> str | None:
    """What to tell last of a finished run of which no mask holds a pixel; None of any other.

    A run of which every case ended in an error has no masks at all: its end says so already.
    """
    predicted = [row for row in run.rows if row.status not in FAILURES]
    if not predicted or any(row.mask_pixels for row in predicted):
        return None
    return (
        f"WARNING: all {len(predicted)} masks are empty. Look at the frames as they were read, at the prompt and the "
        "threshold"
    )
