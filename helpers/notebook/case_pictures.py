"""The 4-panel pictures of notebooks: first cases of a run, best and worst cases of an evaluation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers.core.atomic import write_bytes_atomic
from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.data.cases import Case
from helpers.evaluation.case_arrays import required_truth
from helpers.evaluation.leakage.standing import COLUMN, title_of
from helpers.evaluation.score_table import sizes
from helpers.evaluation.scored_runs import ScoredRun
from helpers.notebook.evaluate_notebook import Results
from helpers.notebook.evaluation_tables import definition_table, median_case, shown_dice
from helpers.notebook.run_tables import prediction_table
from helpers.review.case_panels import case_panel, with_scores
from helpers.review.case_ranking import telling_cases
from helpers.review.figures.figure_file import png_bytes
from helpers.review.figures.panels import PanelCase, contact_sheet
from helpers.review.figures.style import new_figure, sizes_text
from helpers.runs.asked_prompts import FIRST_PROMPT_ID
from helpers.runs.run_folder import Run

PANELS_FOLDER = "panels"


def gallery(run: Run, cases: Sequence[Case], count: int) -> Figure:
    """The first `count` cases of a run whose frames can be read, with its first prompt; a notice where there is none.

    Arguments and errors as for `write_panels`.
    """
    panels = list(islice(panel_cases(run, cases, FIRST_PROMPT_ID), count))
    if panels:
        return contact_sheet(panels, stamp=run.stamp)
    figure = Figure(figsize=(6.0, 1.0))
    figure.text(0.5, 0.5, "no frame of this run can be read", ha="center", va="center")
    return figure


def write_panels(run: Run, cases: Sequence[Case], folder: Path) -> tuple[Path, ...]:
    """Write `<case_id>/<prompt_id>.png` into `folder` for every frame that can be read, and return their paths.

    Args:
        cases: of the data set that the run was made from; those that the run lacks are left out.
    Raises:
        RefusedInput: where the data set lacks a case of the run.
        UsageProblem: where a frame has another size than its mask.
    """
    written = []
    for prompt_id in run.prompts:
        chosen = _of_run(run, cases)
        described = f"panels, {prompt_id}"
        for panel in track(panel_cases(run, cases, prompt_id), described, total=len(chosen), unit="image"):
            path = folder / panel.case_id / f"{prompt_id}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomic(path, png_bytes(contact_sheet([panel], stamp=run.stamp)))
            written.append(path)
    return tuple(written)


def panel_cases(run: Run, cases: Sequence[Case], prompt_id: str) -> Iterator[PanelCase]:
    """What the pictures show, in the order of `cases`.

    Frames that cannot be read are left out: the error would name the file. A truth that cannot be drawn on its frame
    leaves its panel empty; the data check says why.
    """
    table = prediction_table(run)
    statuses = table[table["prompt_id"] == prompt_id].set_index("case_id")["status"]
    for case in _of_run(run, cases):
        mask = run.mask(case.case_id, prompt_id)
        panel = case_panel(case, mask, statuses[case.case_id])
        if panel is not None:
            yield panel


def _of_run(run: Run, cases: Sequence[Case]) -> list[Case]:
    """The cases of the data set that the run has."""
    wanted = set(prediction_table(run)["case_id"])
    chosen = [case for case in cases if case.case_id in wanted]
    missing = sorted(wanted - {case.case_id for case in chosen})
    if missing:
        raise RefusedInput(
            f"expected the data set that the run was made from, found {counted(len(cases), 'case')} and no "
            f"{missing[0]}. Name the same data set, layout and key of case ids"
        )
    return chosen


def ranked_cases(scores: pd.DataFrame, count: int) -> tuple[list[str], list[str]]:
    """Ids of the `count` cases of lowest Dice, lowest first, and of highest, highest first; no case is in both.

    Cases where neither ground truth nor mask holds a pixel are in neither.
    """
    telling = telling_cases(shown_dice(scores), count)
    return list(telling.worst), list(telling.best)


def named_cases(scores: pd.DataFrame) -> dict[str, str]:
    """What a case stands for -> its id: the worst, the middle and the best by Dice; none comes twice.

    Cases where neither ground truth nor mask holds a pixel are left out. One alone where all have the same Dice, none
    where nothing is to be seen in any.
    """
    dice = shown_dice(scores)
    telling = telling_cases(dice, 1)
    if telling.median is None:
        return {}
    if len(set(dice.values())) == 1:
        name = "The only case" if len(dice) == 1 else "One case of many with the same Dice"
        return {name: telling.median}
    (worst,), (best,) = telling.worst, telling.best
    middle = {} if telling.median in (worst, best) else {"Middle case": telling.median}
    return {"Worst case": worst, **middle, "Best case": best}


def telling_figures(results: Results, cases: Sequence[Case]) -> dict[str, Figure]:
    """Name for its file -> picture of one of the `named_cases` of the first run, from the data set's cases."""
    scored_run, scores = results.scored_runs[0], results.scores[results.first]
    title = title_of(results.metrics.summary, results.first)
    return {
        name.lower().replace(" ", "_"): case_sheet(scored_run, scores, cases, [case_id], name, title)
        for name, case_id in named_cases(scores).items()
    }


def silent_sheets(results: Results, cases: Sequence[Case], count: int) -> dict[str, Figure]:
    """`silent` -> picture of the first run's silent failures by its first order of doubt, the worst; none without.

    Args:
        cases: of the data set.
    """
    record = results.metrics.guess_record(results.first)
    silent = record["signals"][0]["silent"][:count] if record and record["signals"] else []
    if not silent:
        return {}
    scored_run, scores = results.scored_runs[0], results.scores[results.first]
    return {"silent": case_sheet(scored_run, scores, cases, silent, "Silent failures", results.title)}


def ranked_sheets(results: Results, cases: Sequence[Case], count: int) -> dict[str, Figure]:
    """`worst` and `best` -> picture of the `count` cases of the first run with lowest and highest Dice; none empty.

    Args:
        cases: of the data set.
    """
    scored_run, scores = results.scored_runs[0], results.scores[results.first]
    worst, best = ranked_cases(scores, count)
    return {
        name: case_sheet(scored_run, scores, cases, case_ids, f"{name.capitalize()} cases", results.title)
        for name, case_ids in (("worst", worst), ("best", best))
        if case_ids
    }


def case_sheet(
    scored_run: ScoredRun,
    scores: pd.DataFrame,
    cases: Sequence[Case],
    case_ids: Sequence[str],
    heading: str,
    title: str | None = None,
) -> Figure:
    """One row of panels for each of some cases, with Dice, clDice and HD95; a notice where no frame can be read.

    Args:
        scores: of the scored run.
        cases: of the data set.
        heading: what these cases are.
        title: whose scores these are.
    """
    by_id = {case.case_id: case for case in cases}
    rows = scores.set_index("case_id")
    panels = []
    for case_id in case_ids:
        panel = case_panel(by_id[case_id], scored_run.mask(case_id), scored_run.status(case_id))
        if panel is not None:
            row = rows.loc[case_id]
            panels.append(with_scores(panel, row, row.get(COLUMN)))
    heading = f"{heading} of {scored_run.name}, {len(case_ids)} of {sizes_text(sizes(scores))}"
    heading += "" if title is None else f"; {title}"
    if not panels:
        return new_figure(6.0, 1.0, heading, "no frame of these cases can be read")
    return contact_sheet(panels, heading=heading)


def definition_on_median(
    results: Results,
    cases: Sequence[Case],
    definitions: Mapping[str, Callable[[np.ndarray, np.ndarray], float]],
) -> pd.DataFrame:
    """`definition_table` of the first run's case with the median Dice.

    Args:
        cases: of the data set.
        definitions: metric -> function of flattened ground truth and mask, such as scikit-learn's.
    """
    scores = results.scores[results.first]
    case_id = median_case(scores)
    truth, mask = masks_of(results.scored_runs[0], scores, cases, case_id)
    return definition_table(scores, case_id, truth, mask, definitions)


def masks_of(
    scored_run: ScoredRun, scores: pd.DataFrame, cases: Sequence[Case], case_id: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ground truth and scored mask of a case, bool (H, W) each; an empty mask where there is none."""
    case = next(case for case in cases if case.case_id == case_id)
    row = scores.set_index("case_id").loc[case_id]
    truth = required_truth(case).mask(int(row["width"]), int(row["height"]))
    mask = scored_run.mask(case_id)
    return truth, np.zeros_like(truth) if mask is None else mask
