"""The sequences of runs as films, pictures and a page, in one folder (docs/cine.md)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.atomic import partial_folder, write_bytes_atomic, write_json_atomic, write_text_atomic
from helpers.cine.drawing import Sheet, draw_frame, png_of
from helpers.cine.film import check_rate, gif_frame, write_gif, write_mp4
from helpers.cine.frame import cine_frames, sequence_cases
from helpers.cine.opacity import MaximumOpacity
from helpers.cine.page import page_text
from helpers.data.dataset import Dataset
from helpers.data.record import Case
from helpers.errors import RefusedInput, UsageProblem
from helpers.evaluation.metrics_folder import Metrics
from helpers.evaluation.scored import name_in, outdated
from helpers.evaluation.standing import title_of
from helpers.evaluation.subjects import Subject, require_same_ids
from helpers.figures.panels import png_bytes
from helpers.figures.sequences import sequence_figure
from helpers.figures.stamp import stamped
from helpers.images.reading import UnreadableImage
from helpers.images.source import read_frame
from helpers.progress import track
from helpers.runs.status import FAILURES
from helpers.stamp import stamp_text

FORMAT_VERSION = 1
RECORD_NAME, PAGE_NAME = "cine.json", "index.html"
RATE = 10.0
_UNREAD = (64, 64)


def write_cine(
    subjects: Sequence[Subject],
    dataset: Dataset,
    output: Path,
    *,
    sequences: Sequence[str] | None = None,
    metrics: Metrics | None = None,
    rate: float = RATE,
) -> dict[str, Any]:
    """Write the films of all sequences that the first run has frames of, complete or not at all.

    Args:
        subjects: one prompt of each run; at least one.
        output: a new folder.
        sequences: only these; None for all.
        metrics: an evaluation of the runs, for curves; None for none.
        rate: frames a second.
    Returns:
        The record, which `cine.json` holds too.
    Raises:
        UsageProblem: for a sequence that is not there, or where there is none; for a rate that no film has.
        RefusedInput: where runs and data set do not go together, or the folder is taken.
    """
    check_rate(rate)
    require_same_ids(subjects, dataset)
    known = set(subjects[0].run.cases())
    groups = {
        name: cases for name, cases in sequence_cases(dataset).items() if any(case.case_id in known for case in cases)
    }
    missing = [name for name in sequences or () if name not in groups]
    if missing or not groups:
        raise UsageProblem(
            f"sequences: expected some of the {len(groups)} of run {subjects[0].name}, "
            + (
                f"got {missing[0]!r}"
                if missing
                else "found none of two or more frames. Say with --group-by what is one"
            )
        )
    wanted = list(groups) if sequences is None else list(dict.fromkeys(sequences))
    shown = [case.case_id for name in wanted for case in groups[name]]
    for one in subjects:
        one.run.require_whole(shown, one.prompt_id)
    curves = None if metrics is None else _curves(metrics, subjects, shown)
    stamp = stamp_text(*(one.run.stamp for one in subjects))
    with partial_folder(output) as folder:
        record = {
            "format_version": FORMAT_VERSION,
            "rate": rate,
            "title": None if curves is None else _title(metrics, subjects),
            "runs": [
                {"name": one.name, "prompt": one.prompt_id, "config_sha256": one.run.config.config_sha256}
                for one in subjects
            ],
            "sequences": [
                _write_sequence(folder, name, groups[name], subjects, curves, rate, stamp)
                for name in track(wanted, "cine", unit="sequence")
            ],
        }
        write_text_atomic(folder / PAGE_NAME, page_text([one.name for one in subjects], record, stamp))
        write_json_atomic(folder / RECORD_NAME, record)
    return record


def _curves(metrics: Metrics, subjects: Sequence[Subject], case_ids: Sequence[str]) -> pd.DataFrame | None:
    """The rows of `frames.parquet` of these runs; None where no sequences were scored.

    Raises:
        RefusedInput: where a run was not scored, or frames to be shown were predicted again since.
    """
    names = {one.name: name_in(metrics, one) for one in subjects}
    missing = [name for name, found in names.items() if found is None]
    if missing:
        raise RefusedInput(
            f"{metrics.folder}: expected scores of run {missing[0]} and its prompt, found those of "
            f"{', '.join(metrics.runs)}. Evaluate these runs, or leave the metrics out"
        )
    for one in subjects:
        other = outdated(metrics, names[one.name], one) & set(case_ids)
        if other:
            raise RefusedInput(
                f"{metrics.folder}: expected scores of what run {one.name} says, found {len(other)} frames that were "
                "predicted again since they were scored. Evaluate the runs again, or leave the metrics out"
            )
    frames = metrics.frames()
    return None if frames is None else frames[frames["run"].isin(names.values())]


def _title(metrics: Metrics, subjects: Sequence[Subject]) -> str:
    """Whose scores the curves show: those of the run, or of all that the evaluation compared."""
    return title_of(metrics.summary, name_in(metrics, subjects[0]) if len(subjects) == 1 else None)


def _write_sequence(
    folder: Path,
    name: str,
    cases: Sequence[Case],
    subjects: Sequence[Subject],
    curves: pd.DataFrame | None,
    rate: float,
    stamp: str | None,
) -> dict[str, Any]:
    """Write one sequence's files; its entry of the record."""
    runs = [one.name for one in subjects]
    summary, small, gaps = MaximumOpacity(len(subjects)), [], []
    sheet = Sheet.of(runs, *_size(cases), stamp)

    def pictures() -> Iterator[np.ndarray]:
        for position, frame in enumerate(cine_frames(cases, subjects)):
            summary.add(frame)
            failed = [status for status in frame.statuses if status in FAILURES]
            if frame.image is None or failed:
                gaps.append({"case_id": frame.case_id, "status": failed[0] if failed else "read_error"})
            picture = draw_frame(sheet, frame, f"{frame.case_id}   frame {position + 1} of {len(cases)}")
            small.append(gif_frame(picture))
            yield picture

    entry: dict[str, Any] = {"sequence": name, "mp4": f"{name}.mp4", "gif": f"{name}.gif"}
    entry["frames"] = write_mp4(folder / entry["mp4"], pictures(), rate)
    write_gif(folder / entry["gif"], small, rate)
    darkest = summary.frame(name)
    entry["picture"] = None if darkest is None else f"{name}.png"
    if darkest is not None:
        picture = draw_frame(sheet, darkest, f"{name}   darkest value of {len(cases)} frames, masks united")
        write_bytes_atomic(folder / entry["picture"], png_of(picture))
    rows = None if curves is None else curves[curves["sequence"] == name]
    entry["curves"] = None if rows is None or rows.empty else f"{name}-curves.png"
    if entry["curves"]:
        figure = sequence_figure(rows, list(rows["run"].unique()), name)
        write_bytes_atomic(folder / entry["curves"], png_bytes(stamped(figure, stamp)))
    return {**entry, "gaps": gaps}


def _size(cases: Sequence[Case]) -> tuple[int, int]:
    """Width and height of the first frame that can be read; a square where none can."""
    for case in cases:
        try:
            return read_frame(case.frame.path, case.frame.index, case.frame.bits).size
        except UnreadableImage:
            continue
    return _UNREAD
