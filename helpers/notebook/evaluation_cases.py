"""The best and the worst cases of an evaluated run, as 4-panel pictures."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers.data.record import Case
from helpers.evaluation.aggregation import both_empty, sizes
from helpers.evaluation.standing import COLUMN, standing_note, title_of
from helpers.evaluation.subjects import Subject
from helpers.figures.panels import contact_sheet
from helpers.figures.style import new_figure, sizes_text
from helpers.notebook.evaluation import Results
from helpers.notebook.evaluation_tables import median_case
from helpers.notebook.gallery import panel_case

_SHOWN = {"Dice": "dice", "clDice": "cldice", "HD95 px": "hd95_px"}


def ranked_cases(scores: pd.DataFrame, count: int) -> tuple[list[str], list[str]]:
    """Ids of the `count` cases of lowest Dice, lowest first, and of highest, highest first; no case is in both.

    Cases where neither ground truth nor mask holds a pixel are in neither.
    """
    shown = scores[~both_empty(scores)]
    ranked = shown.sort_values(["dice", "case_id"], kind="stable")["case_id"].tolist()
    count = min(count, max(1, len(ranked) // 2))
    best = [case_id for case_id in ranked[::-1] if case_id not in ranked[:count]]
    return ranked[:count], best[:count]


def telling_cases(scores: pd.DataFrame) -> dict[str, str]:
    """What a case stands for -> its id: the worst, the middle and the best by Dice; none comes twice.

    Cases where neither ground truth nor mask holds a pixel are left out. One alone where all have the same Dice, none
    where nothing is to be seen in any.
    """
    shown = scores[~both_empty(scores)]
    if shown.empty:
        return {}
    if shown["dice"].nunique() == 1:
        return {"The only case" if len(shown) == 1 else "One case of many with the same Dice": median_case(scores)}
    worst, best = ranked_cases(scores, 1)
    found = {"Worst case": worst[0], "Middle case": median_case(scores), "Best case": best[0]}
    return {name: case_id for name, case_id in found.items() if name != "Middle case" or case_id not in worst + best}


def telling_figures(results: Results, cases: Sequence[Case]) -> dict[str, Figure]:
    """Name for its file -> picture of one of the `telling_cases` of the first run, from the data set's cases."""
    subject, scores = results.subjects[0], results.scores[results.first]
    title = title_of(results.metrics.summary, results.first)
    return {
        name.lower().replace(" ", "_"): case_sheet(subject, scores, cases, [case_id], name, title)
        for name, case_id in telling_cases(scores).items()
    }


def case_sheet(
    subject: Subject,
    scores: pd.DataFrame,
    cases: Sequence[Case],
    case_ids: Sequence[str],
    heading: str,
    title: str | None = None,
) -> Figure:
    """One row of panels for each of some cases, with Dice, clDice and HD95; a notice where no frame can be read.

    Args:
        scores: of the subject.
        cases: of the data set.
        heading: what these cases are.
        title: whose scores these are.
    """
    by_id = {case.case_id: case for case in cases}
    rows = scores.set_index("case_id")
    panels = []
    for case_id in case_ids:
        panel = panel_case(by_id[case_id], subject.mask(case_id), subject.status(case_id))
        if panel is not None:
            row = rows.loc[case_id]
            shown = {name: float(row[metric]) for name, metric in _SHOWN.items()}
            panels.append(replace(panel, scores=shown, note=standing_note(row.get(COLUMN))))
    heading = f"{heading} of {subject.name}, {len(case_ids)} of {sizes_text(sizes(scores))}"
    heading += "" if title is None else f"; {title}"
    if not panels:
        return new_figure(6.0, 1.0, heading, "no frame of these cases can be read")
    return contact_sheet(panels, heading=heading)


def masks_of(
    subject: Subject, scores: pd.DataFrame, cases: Sequence[Case], case_id: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ground truth and scored mask of a case, bool (H, W) each; an empty mask where there is none."""
    case = next(case for case in cases if case.case_id == case_id)
    row = scores.set_index("case_id").loc[case_id]
    truth = case.truth.mask(int(row["width"]), int(row["height"]))
    mask = subject.mask(case_id)
    return truth, np.zeros_like(truth) if mask is None else mask
