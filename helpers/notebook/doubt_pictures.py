"""Where a model is least sure, by its own guess: the head of the order of doubt, as a table and as pictures."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import expit

from helpers.data.cases import Case
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage, natural_key
from helpers.evaluation.guess_text import SIGNAL_TITLES
from helpers.evaluation.own_guess import Signal, doubts_of, expected_of
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
    signal, doubt = _doubt(run)
    if signal is None:
        return pd.DataFrame({"the model's own guess": [_NONE]})
    ranks = doubt.rank(method="min", ascending=False).astype(int)
    ordered = _ordered(doubt)[:count]
    statuses = [str(run.prediction(case_id, _first(run))[0].status) for case_id in ordered]
    rank = f"rank of {len(doubt)} by {SIGNAL_TITLES[signal]}"
    return pd.DataFrame({rank: [ranks[case_id] for case_id in ordered], "case_id": ordered, "status": statuses})


def doubt_gallery(run: Run, cases: Sequence[Case], count: int) -> Figure:
    """Frame, mask and map of doubt of the cases with a mask that the model doubts most; a notice where it tells none.

    The map is the spread of the run's ensemble, else p (1 - p) of its own map. No ground truth is read.

    Args:
        cases: of the data set that the run was made from.
    """
    signal, doubt = _doubt(run)
    known = {case.case_id: case for case in cases}
    found = (_row(run, known[case_id]) for case_id in _ordered(doubt) if case_id in known) if signal else iter(())
    rows = list(islice((row for row in found if row is not None), count))
    what = "spread of the ensemble" if any(row.disagreement is not None for row in run.rows) else "p (1 - p) of the map"
    return doubt_figure(rows, what, notice=_NONE, stamp=run.stamp)


def _first(run: Run) -> str:
    return next(iter(run.prompts))


def _doubt(run: Run) -> tuple[Signal | None, pd.Series]:
    """The signal that ranks the cases of the first prompt, and their doubt; None and no case where none does."""
    scored_run, case_ids = ScoredRun(run.folder.name, run, _first(run)), list(run.cases())
    doubts = doubts_of(scored_run, case_ids, expected_of(scored_run, case_ids))
    signals = [signal for signal in Signal if signal in doubts]
    if not signals:
        return None, pd.Series(dtype=float)
    return signals[0], doubts[signals[0]].fillna(np.inf)


def _ordered(doubt: pd.Series) -> list[str]:
    return sorted(doubt.index, key=lambda case_id: (-doubt[case_id], natural_key(case_id)))


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
