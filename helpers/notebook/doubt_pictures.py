"""Where a model is least sure, by its own guess: the head of the order of doubt, as a table and as pictures."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import expit

from helpers.data.cases import Case
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.evaluation.guess_text import SIGNAL_TITLES
from helpers.evaluation.own_guess import DoubtOrder, order_of
from helpers.evaluation.scored_runs import ScoredRun
from helpers.metrics.own_doubt import own_doubt
from helpers.prediction.disagreement import MOST_SPREAD
from helpers.review.figures.doubt_figure import DoubtRow, doubt_figure
from helpers.runs.run_folder import Run

_NONE = "this run does not say how sure it is"
_MOST_DOUBT = 0.25  # of p (1 - p)


def doubt_table(run: Run, count: int = 10) -> pd.DataFrame:
    """The cases of the first prompt that the model doubts most: rank, case_id, status; no value, which means nothing.

    Cases of equal doubt share a rank. A case without a mask comes first.
    """
    order = _order(run)
    if order is None:
        return pd.DataFrame({"the model's own guess": [_NONE]})
    first = order.case_ids[:count]
    statuses = [str(run.prediction(case_id, _first(run))[0].status) for case_id in first]
    rank = f"rank of {len(order.ranks)} by {SIGNAL_TITLES[order.signal]}"
    return pd.DataFrame({rank: [order.ranks[case_id] for case_id in first], "case_id": first, "status": statuses})


def doubt_gallery(run: Run, cases: Sequence[Case], count: int) -> Figure:
    """Frame, mask and map of doubt of the cases with a mask that the model doubts most; a notice where it tells none.

    The map is the spread of the run's ensemble, else p (1 - p) of its own map. No ground truth is read.

    Args:
        cases: of the data set that the run was made from.
    """
    order = _order(run)
    known = {case.case_id: case for case in cases}
    ordered = () if order is None else order.case_ids
    found = (_row(run, known[case_id]) for case_id in ordered if case_id in known)
    rows = list(islice((row for row in found if row is not None), count))
    what = "spread of the ensemble" if any(row.disagreement is not None for row in run.rows) else "p (1 - p) of the map"
    return doubt_figure(rows, what, notice=_NONE, stamp=run.stamp)


def _first(run: Run) -> str:
    return next(iter(run.prompts))


def _order(run: Run) -> DoubtOrder | None:
    """The order of the first prompt."""
    return order_of(ScoredRun(run.folder.name, run, _first(run)))


def _row(run: Run, case: Case) -> DoubtRow | None:
    """What is drawn of a case; None without a mask, or where its frame cannot be read."""
    prompt_id = _first(run)
    mask, full = run.mask(case.case_id, prompt_id), run.full_map(case.case_id, prompt_id)
    if mask is None or full is None:
        return None
    try:
        image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
    except UnreadableImage:
        return None
    spread = run.spread(case.case_id, prompt_id)
    doubt = own_doubt(expit(full)) / _MOST_DOUBT if spread is None else spread / MOST_SPREAD
    return DoubtRow(case.case_id, np.asarray(image.convert("L")), mask, doubt)
