"""The 4-panel pictures of a finished run, made from its files and its frames at any time after it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from matplotlib.figure import Figure
from tqdm.auto import tqdm

from helpers.atomic import write_bytes_atomic
from helpers.errors import RefusedInput
from helpers.figures.panels import PanelCase, PredictedMask, contact_sheet, png_bytes
from helpers.images.reading import UnreadableImage, read_image
from helpers.inference.folder import number_cases
from helpers.inference.run_folder import read_mask
from helpers.inference.status import PredictionStatus
from helpers.inference.tables import read_predictions

PANELS_FOLDER = "panels"


def gallery(run: Path, images: Path, count: int) -> Figure:
    """The first `count` cases of a run whose frames can be read, one row of panels each; a notice where there is none.

    Arguments and errors as for `write_panels`.
    """
    cases = list(islice(_panel_cases(run, _frames(run, images)), count))
    if cases:
        return contact_sheet(cases)
    figure = Figure(figsize=(6.0, 1.0))
    figure.text(0.5, 0.5, "no frame of this run can be read", ha="center", va="center")
    return figure


def write_panels(run: Path, images: Path) -> tuple[Path, ...]:
    """Write `panels/<case_id>.png` into a finished run, one for each frame that can be read, and return their paths.

    The ground truth panels are empty, and labelled so: a run knows none.

    Args:
        images: the folder that the run was made from, unchanged.
    Raises:
        RefusedInput: where there is no finished run, or the image folder no longer fits it.
        UsageProblem: where a frame has another size than its mask.
    """
    frames = _frames(run, images)
    folder = run / PANELS_FOLDER
    folder.mkdir(exist_ok=True)
    written = []
    for case in tqdm(_panel_cases(run, frames), total=len(frames), desc="panels", unit="image"):
        path = folder / f"{case.case_id}.png"
        write_bytes_atomic(path, png_bytes(contact_sheet([case])))
        written.append(path)
    return tuple(written)


def _frames(run: Path, images: Path) -> dict[tuple[str, str], Path]:
    """(case id, status) -> file of every case of a run whose frame could be read, in order."""
    table = read_predictions(run)
    files = {case.case_id: case.path for case in number_cases(images)}
    missing = [case_id for case_id in table["case_id"] if case_id not in files]
    if missing:
        raise RefusedInput(
            f"{images}: expected the folder that the run was made from, found {len(files)} images and no {missing[0]}. "
            "Name the folder as it was"
        )
    return {
        (case_id, status): files[case_id]
        for case_id, status in zip(table["case_id"], table["status"], strict=True)
        if status != PredictionStatus.READ_ERROR
    }


def _panel_cases(run: Path, frames: dict[tuple[str, str], Path]) -> Iterator[PanelCase]:
    """The cases in order, without those whose frame can no longer be read: the error would name the file."""
    for (case_id, status), path in frames.items():
        try:
            image = read_image(path)
        except UnreadableImage:
            continue
        mask = read_mask(run, case_id)
        yield PanelCase(image, None, None if mask is None else PredictedMask(mask), case_id, status)
