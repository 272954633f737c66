"""4-panel pictures of some cases with a page that lists them: of a run, or of ground truth alone."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from helpers.core.atomic import partial_folder, write_text_atomic
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.watermark import stamp_text
from helpers.data.cases import Case
from helpers.review.case_panels import case_panel, with_scores
from helpers.review.case_ranking import telling_cases
from helpers.review.figures.panels import PanelCase, contact_sheet, save_panel
from helpers.review.figures.sheet_layout import DPI, MaskStyle
from helpers.review.payload import CaseView
from helpers.review.review_source import ReviewSource


def worst_median_best(
    source: ReviewSource, count: int = 2, without: frozenset[str] = frozenset()
) -> dict[str, list[str]]:
    """Heading -> case ids: `count` of the lowest and of the highest Dice, and the median one; none comes twice.

    Cases where nothing is to be seen are left out. Without scores of others, the first cases of the run.

    Args:
        without: ids of cases to leave out, such as those whose prediction is not to be seen yet.
    """
    cases = [case for case in source.cases if case.case_id not in without]
    telling = telling_cases({case.case_id: case.scores.get("dice") for case in cases if not case.empty}, count)
    if telling.median is None:
        return {"first": [case.case_id for case in cases[:count]]}
    median = [] if telling.median in telling.worst + telling.best else [telling.median]
    return {"worst": list(telling.worst), "median": median, "best": list(telling.best)}


def sheet(source: ReviewSource, groups: dict[str, list[str]]) -> Figure:
    """One row of panels for each case; cases whose frame cannot be read are left out, and it says so if all are.

    Args:
        groups: heading -> case ids, as `worst_median_best` gives them.
    """
    wanted = [panel_case(source, source.view(case_id)) for case_ids in groups.values() for case_id in case_ids]
    panels = [panel for panel in wanted if panel is not None]
    if not panels:
        empty = Figure(figsize=(12, 1))
        words = f"of {counted(len(wanted), 'frame')} none can be read" if wanted else "no case may be shown yet"
        empty.text(0.5, 0.5, words, ha="center", va="center")
        return empty
    parts = [f"{name}: {', '.join(case_ids)}" for name, case_ids in groups.items() if case_ids]
    heading = "; ".join([*parts, *([] if source.title is None else [source.title])])
    return contact_sheet(panels, heading=heading, stamp=source.stamp)


def panel_case(source: ReviewSource, view: CaseView) -> PanelCase | None:
    """What the picture of a case shows, with its scores; None where the frame cannot be read."""
    if view.image is None:
        return None
    prediction, known = view.predictions[0], source.scores.get(view.case_id)
    mask, status = (None, NOT_PREDICTED) if prediction is None else (prediction.mask, prediction.status)
    panel = PanelCase(view.image, view.truth, mask, view.case_id, status)
    return panel if known is None else with_scores(panel, known, source.standings.get(view.case_id))


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
    return (panel for case in cases if (panel := case_panel(case, None, NOT_PREDICTED)) is not None)


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
