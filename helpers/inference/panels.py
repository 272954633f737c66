"""The 4-panel pictures of a finished run: made from its files and the frames, beside them, at any time after it."""

from collections.abc import Mapping
from pathlib import Path

from tqdm.auto import tqdm

from helpers.errors import RefusedInput
from helpers.figures.panels import PanelCase, PredictedMask, contact_sheet, png_bytes
from helpers.atomic import write_bytes_atomic
from helpers.images.reading import UnreadableImage, read_image
from helpers.inference.folder import number_cases
from helpers.inference.run_folder import read_mask
from helpers.inference.tables import read_predictions

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
