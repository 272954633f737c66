"""Cases of a review as 4-panel pictures without a browser: the worst, the median and the best."""

from matplotlib.figure import Figure

from helpers.evaluation.standing import standing_note
from helpers.figures.panels import PanelCase, contact_sheet
from helpers.review.payload import CaseView
from helpers.review.source import ReviewSource

_SHOWN = {"Dice": "dice", "clDice": "cldice", "HD95 px": "hd95_px"}


def worst_median_best(source: ReviewSource, count: int = 2) -> dict[str, list[str]]:
    """Heading -> case ids: `count` of the lowest and of the highest Dice, and the median one; none comes twice.

    Cases where nothing is to be seen are left out. Without scores of others, the first cases of the run.
    """
    scores = {case.case_id: case.scores.get("dice") for case in source.cases if not case.empty}
    ranked = sorted((case_id for case_id, value in scores.items() if value is not None), key=lambda c: scores[c])
    if not ranked:
        return {"first": [case.case_id for case in source.cases[:count]]}
    worst = ranked[:count]
    median = [case_id for case_id in ranked[len(ranked) // 2 :][:1] if case_id not in worst]
    best = [case_id for case_id in ranked[::-1][:count] if case_id not in worst + median]
    return {"worst": worst, "median": median, "best": best}


def sheet(source: ReviewSource, groups: dict[str, list[str]]) -> Figure:
    """One row of panels for each case; cases whose frame cannot be read are left out, and it says so if all are.

    Args:
        groups: heading -> case ids, as `worst_median_best` gives them.
    """
    wanted = [panel_case(source, source.view(case_id)) for case_ids in groups.values() for case_id in case_ids]
    panels = [panel for panel in wanted if panel is not None]
    if not panels:
        empty = Figure(figsize=(12, 1))
        empty.text(0.5, 0.5, f"none of the {len(wanted)} frames can be read", ha="center", va="center")
        return empty
    parts = [f"{name}: {', '.join(case_ids)}" for name, case_ids in groups.items() if case_ids]
    heading = "; ".join([*parts, *([] if source.title is None else [source.title])])
    return contact_sheet(panels, heading=heading, stamp=source.stamp)


def panel_case(source: ReviewSource, view: CaseView) -> PanelCase | None:
    """What the picture of a case shows, with its scores; None where the frame cannot be read."""
    if view.image is None:
        return None
    prediction, known = view.predictions[0], source.scores.get(view.case_id)
    scores = {} if known is None else {title: known.get(metric) for title, metric in _SHOWN.items() if metric in known}
    note = standing_note(source.standings.get(view.case_id)) if scores else ""
    return PanelCase(view.image, view.truth, prediction.mask, view.case_id, prediction.status, scores, note)
