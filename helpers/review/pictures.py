"""4-panel pictures of some cases with a page that lists them: of a run, or of ground truth alone."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from helpers.atomic import partial_folder, write_text_atomic
from helpers.data.record import Case
from helpers.figures.layout import DPI, MaskStyle
from helpers.figures.panels import GroundTruth, PanelCase, contact_sheet, save_panel
from helpers.images.reading import UnreadableImage
from helpers.images.source import read_frame
from helpers.progress import track
from helpers.review.sheet import panel_case
from helpers.review.source import ReviewSource
from helpers.stamp import stamp_text

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
        stamp: that the run carries, see `helpers.stamp`.
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
