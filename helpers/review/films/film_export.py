"""The sequences of runs as films, pictures and a page, in one folder (docs/cine.md)."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from helpers.core.atomic import partial_folder, write_bytes_atomic, write_json_atomic, write_text_atomic
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.extras import needed
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.watermark import stamp_text
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.evaluation.leakage.standing import title_of
from helpers.evaluation.metrics_folder import Metrics, name_in, outdated
from helpers.evaluation.scored_runs import ScoredRun, require_same_ids
from helpers.review.figures.figure_file import png_bytes, stamped
from helpers.review.figures.score_figures import sequence_figure
from helpers.review.films.film_frame import MaximumOpacity, Sheet, cine_frames, draw_frame, png_of, sequence_cases
from helpers.review.films.film_page import page_text
from helpers.runs.status import FAILURES

# 4:2:0 is what browsers play; the index in front lets them begin before the end is there. One thread gives the same
# bytes each time.
_CONTAINER = {"movflags": "+faststart", "fflags": "+bitexact"}
_ENCODER = {"crf": "18", "preset": "medium", "threads": "1"}
_GIF_WIDTH = 960


def check_rate(rate: float) -> None:
    """Raise UsageProblem for a rate, frames a second, that no film has."""
    if not 0.5 <= rate <= 60:
        raise UsageProblem(f"rate: expected 0.5 to 60 frames a second, got {rate}")


def write_mp4(path: Path, pictures: Iterable[np.ndarray], rate: float) -> int:
    """Write pictures as H.264, one after the other; returns how many.

    Args:
        pictures: uint8 (H, W, 3) of one size, H and W even.
        rate: frames a second.
    """
    av, count = needed("av"), 0
    with av.open(str(path), "w", format="mp4", container_options=_CONTAINER) as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000), options=_ENCODER)
        stream.pix_fmt = "yuv420p"
        for count, picture in enumerate(pictures, start=1):
            if count == 1:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    return count


def gif_frame(picture: np.ndarray) -> Image.Image:
    """A picture, uint8 (H, W, 3), as a GIF holds it: at most 960 pixels wide, 256 colours."""
    image = Image.fromarray(picture)
    image.thumbnail((_GIF_WIDTH, image.height))
    return image.quantize(256, dither=Image.Dither.NONE)


def write_gif(path: Path, frames: Sequence[Image.Image], rate: float) -> None:
    """Write a GIF that repeats.

    Args:
        frames: as `gif_frame` makes them, at least one.
        rate: frames a second; a GIF counts in hundredths of a second.
    """
    duration = max(2, round(100 / rate)) * 10
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=duration, loop=0)


FORMAT_VERSION = 1
RECORD_NAME, PAGE_NAME = "cine.json", "index.html"
RATE = 10.0
_UNREAD = (64, 64)


def write_cine(
    scored_runs: Sequence[ScoredRun],
    dataset: Dataset,
    output: Path,
    *,
    sequences: Sequence[str] | None = None,
    metrics: Metrics | None = None,
    rate: float = RATE,
) -> dict[str, Any]:
    """Write the films of all sequences that the first run has frames of, complete or not at all.

    Args:
        scored_runs: one prompt of each run; at least one.
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
    require_same_ids(scored_runs, dataset)
    known = set(scored_runs[0].run.cases())
    groups = {
        name: cases for name, cases in sequence_cases(dataset).items() if any(case.case_id in known for case in cases)
    }
    missing = [name for name in sequences or () if name not in groups]
    if missing or not groups:
        raise UsageProblem(
            f"sequences: expected some of the {len(groups)} of run {scored_runs[0].name}, "
            + (
                f"got {missing[0]!r}"
                if missing
                else "found none of two or more frames. Say with --group-by what is one"
            )
        )
    wanted = list(groups) if sequences is None else list(dict.fromkeys(sequences))
    shown = [case.case_id for name in wanted for case in groups[name]]
    for one in scored_runs:
        one.run.require_whole(shown, one.prompt_id)
    curves = None if metrics is None else _curves(metrics, scored_runs, shown)
    stamp = stamp_text(*(one.run.stamp for one in scored_runs))
    with partial_folder(output) as folder:
        record = {
            "format_version": FORMAT_VERSION,
            "rate": rate,
            "title": None if metrics is None else _title(metrics, scored_runs),
            "runs": [
                {"name": one.name, "prompt": one.prompt_id, "config_sha256": one.run.config.config_sha256}
                for one in scored_runs
            ],
            "sequences": [
                _write_sequence(folder, name, groups[name], scored_runs, curves, rate, stamp)
                for name in track(wanted, "cine", unit="sequence")
            ],
        }
        write_text_atomic(folder / PAGE_NAME, page_text([one.name for one in scored_runs], record, stamp))
        write_json_atomic(folder / RECORD_NAME, record)
    return record


def _curves(metrics: Metrics, scored_runs: Sequence[ScoredRun], case_ids: Sequence[str]) -> pd.DataFrame | None:
    """The rows of `frames.parquet` of these runs; None where no sequences were scored.

    Raises:
        RefusedInput: where a run was not scored, or frames to be shown were predicted again since.
    """
    names: dict[str, str] = {}
    for one in scored_runs:
        run_name = name_in(metrics, one)
        if run_name is None:
            raise RefusedInput(
                f"{metrics.folder}: expected scores of run {one.name} and its prompt, found those of "
                f"{', '.join(metrics.runs)}. Evaluate these runs, or leave the metrics out"
            )
        names[one.name] = run_name
    for one in scored_runs:
        other = outdated(metrics, names[one.name], one) & set(case_ids)
        if other:
            raise RefusedInput(
                f"{metrics.folder}: expected scores of what run {one.name} says, found {counted(len(other), 'frame')} "
                "predicted again since. Evaluate the runs again, or leave the metrics out"
            )
    frames = metrics.frames()
    return None if frames is None else frames[frames["run"].isin(names.values())]


def _title(metrics: Metrics, scored_runs: Sequence[ScoredRun]) -> str:
    """Whose scores the curves show: those of the run, or of all that the evaluation compared."""
    return title_of(metrics.summary, name_in(metrics, scored_runs[0]) if len(scored_runs) == 1 else None)


def _write_sequence(
    folder: Path,
    name: str,
    cases: Sequence[Case],
    scored_runs: Sequence[ScoredRun],
    curves: pd.DataFrame | None,
    rate: float,
    stamp: str | None,
) -> dict[str, Any]:
    """Write one sequence's files; its entry of the record."""
    runs = [one.name for one in scored_runs]
    summary, small, gaps = MaximumOpacity(len(scored_runs)), [], []
    sheet = Sheet.of(runs, *_size(cases), stamp)

    def pictures() -> Iterator[np.ndarray]:
        for position, frame in enumerate(cine_frames(cases, scored_runs)):
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
        picture = draw_frame(sheet, darkest, f"{name}   darkest value of {counted(len(cases), 'frame')}, masks united")
        write_bytes_atomic(folder / entry["picture"], png_of(picture))
    rows = None if curves is None else curves[curves["sequence"] == name]
    entry["curves"] = None if rows is None or rows.empty else f"{name}-curves.png"
    if rows is not None and not rows.empty:
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
