"""The 4-panel pictures of a finished run: made from its files and the frames, beside them, at any time after it."""

from pathlib import Path

from helpers.figures.panels import PanelCase

PANELS_FOLDER = "panels"


def panel_cases(run: Path, images: Path, limit: int | None = None) -> list[PanelCase]:
    """The first cases of a finished run whose frames can be read, with their predictions and without ground truth.

    Args:
        images: the folder that the run was made from, unchanged.
        limit: most cases; None for all.
    Raises:
        RefusedInput: where the folder no longer fits the run.
    """
    found = (_panel_case(run, case_id, path, status) for case_id, path, status in _cases(run, images))
    return [case for case, _ in zip(filter(None, found), range(limit or len(_cases(run, images))), strict=False)]
