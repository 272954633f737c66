"""4-panel pictures of some cases with a page that lists them: of a run, or of ground truth alone."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from helpers.core.atomic import partial_folder, write_text_atomic
from helpers.core.progress import track
from helpers.core.watermark import stamp_text
from helpers.data.cases import Case
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.evaluation.leakage.standing import standing_note
from helpers.review.figures.panels import GroundTruth, PanelCase, contact_sheet, save_panel
from helpers.review.figures.sheet_layout import DPI, MaskStyle
from helpers.review.payload import CaseView
from helpers.review.review_source import ReviewSource

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


INDEX_NAME = "index.html"
NOT_PREDICTED = "not predicted"

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' file:; \
style-src 'unsafe-inline'">
<title>{title}</title>
<style>body {{ font: 15px/1.5 system-ui, sans-serif; margin: 24px auto; padding: 0 16px; }}
img {{ max-width: 100%; }}</style>
<h1>{title}</h1>{stamp}
{figures}
</html>
"""


def run_panels(source: ReviewSource, case_ids: Iterable[str]) -> Iterable[PanelCase]:
    """The panels of cases of a run, in the order given; without those whose frame cannot be read.

    Raises:
        RefusedInput: where files of these cases are lost or damaged, before any picture; later as `ReviewSource.view`.
    """
    case_ids = list(case_ids)
    source.require_whole(case_ids)
    return (panel for case_id in case_ids if (panel := panel_case(source, source.view(case_id))) is not None)


def truth_panels(cases: Sequence[Case]) -> Iterable[PanelCase]:
    """The panels of ground truth alone, with the prediction marked as not there; without unreadable frames."""
    for case in cases:
        try:
            image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
        except UnreadableImage:
            continue
        yield PanelCase(image, GroundTruth.fitting(case.truth, *image.size), None, case.case_id, NOT_PREDICTED)


def write_pictures(
    panels: Iterable[PanelCase],
    folder: Path,
    title: str,
    stamp: str | None = None,
    style: MaskStyle = MaskStyle.CONTOUR,
    dpi: float = DPI,
) -> int:
    """Write `<case_id>.png` for each and `index.html` into a new folder; how many there are.

    Args:
        stamp: that the run carries, see `helpers.core.watermark`.
        style, dpi: as for `contact_sheet`.
    Raises:
        RefusedInput: where the folder holds something.
    """
    figures = []
    with partial_folder(folder) as partial:
        for panel in track(panels, "pictures", unit="case"):
            name = f"{panel.case_id}.png"
            save_panel(contact_sheet([panel], stamp=stamp, style=style, dpi=dpi), partial / name)
            image = f'<img src="{escape(name)}" alt="{escape(panel.title)}">'
            figures.append(f'<p><a href="{escape(name)}" title="in full size">{image}</a></p>')
        said = stamp_text(stamp)
        page = _PAGE.format(
            title=escape(title),
            stamp="" if said is None else f"\n<p><strong>{escape(said)}</strong></p>",
            figures="\n".join(figures) or "<p>no frame can be read</p>",
        )
        write_text_atomic(partial / INDEX_NAME, page)
    return len(figures)
