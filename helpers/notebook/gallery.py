"""The 4-panel pictures of a run beside the ground truth of its data set. Only here do the two meet in a notebook."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from helpers.atomic import write_bytes_atomic
from helpers.data.record import Case
from helpers.errors import RefusedInput
from helpers.figures.panels import GroundTruth, PanelCase, PredictedMask, contact_sheet, png_bytes
from helpers.images.reading import UnreadableImage
from helpers.images.source import read_frame
from helpers.notebook.run_tables import prediction_table
from helpers.progress import track
from helpers.runs.reading import Run

PANELS_FOLDER = "panels"


def gallery(run: Run, cases: Sequence[Case], count: int) -> Figure:
    """The first `count` cases of a run whose frames can be read, with its first prompt; a notice where there is none.

    Arguments and errors as for `write_panels`.
    """
    panels = list(islice(panel_cases(run, cases, "p1"), count))
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
        panel = panel_case(case, mask, statuses[case.case_id])
        if panel is not None:
            yield panel


def panel_case(case: Case, mask: np.ndarray | None, status: str) -> PanelCase | None:
    """What the picture of one case shows; None where its frame cannot be read.

    Args:
        mask: of the prediction, bool (H, W); None where there is none.
        status: how the prediction ended.
    """
    try:
        image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
    except UnreadableImage:
        return None
    predicted = None if mask is None else PredictedMask(mask)
    return PanelCase(image, GroundTruth.fitting(case.truth, *image.size), predicted, case.case_id, status)


def _of_run(run: Run, cases: Sequence[Case]) -> list[Case]:
    """The cases of the data set that the run has."""
    wanted = set(prediction_table(run)["case_id"])
    chosen = [case for case in cases if case.case_id in wanted]
    missing = sorted(wanted - {case.case_id for case in chosen})
    if missing:
        raise RefusedInput(
            f"expected the data set that the run was made from, found {len(cases)} cases and no {missing[0]}. "
            "Name the same data set, layout and key of case ids"
        )
    return chosen
