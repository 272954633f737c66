"""`vesselkit visualize`."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helpers.cli.arguments import data_words, input_path, new_folder, next_text, optional_input_path
from helpers.cli.options import AS_FOUND, Cases, DataOptions, Metrics, PromptId, source_of, with_data_options
from helpers.core.errors import UsageProblem
from helpers.core.shown_text import counted
from helpers.core.vocabulary import QueueOrder
from helpers.review.figures.sheet_layout import DPI, MaskStyle, check_dpi

if TYPE_CHECKING:  # so that --help need not wait
    from helpers.data.opening import Opening

_FRAMES = 5


@with_data_options()
def visualize(
    data: Annotated[Path, typer.Option("--data", metavar="DATASET", help="Data set; with RUN, that of the run.")],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="New folder for the pictures.")],
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Finished run folder. Without it, only ground truth.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", metavar="N", help="Number of frames. Default: 5.")] = None,
    cases: Cases = None,
    sort: Annotated[
        QueueOrder | None,
        typer.Option(
            "--sort", metavar="|".join(QueueOrder), help="By Dice, or by case id. Default with scores: worst."
        ),
    ] = None,
    films: Annotated[
        bool,
        typer.Option(
            "--films", help="Write films of the run's sequences, with a page that plays them, instead of pictures."
        ),
    ] = False,
    beside: Annotated[
        list[Path] | None,
        typer.Option("--beside", metavar="RUN3", help="Run to show side by side. May be given again."),
    ] = None,
    sequences: Annotated[
        list[str] | None,
        typer.Option("--sequences", metavar="ID", help="Only films of this sequence. May be given again."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", metavar="10", help="Frames per second of films. Default: 10.")
    ] = None,
    mask: Annotated[
        MaskStyle | None,
        typer.Option(
            "--mask",
            metavar="|".join(MaskStyle),
            help="How pictures draw a mask. Default: contour, outside its pixels.",
        ),
    ] = None,
    dpi: Annotated[
        float | None,
        typer.Option(
            "--dpi",
            metavar="100",
            help="Scale of pictures: at 100 a frame's pixel is one pixel, at 200 two by two. Default: 100.",
        ),
    ] = None,
    metrics: Metrics = None,
    prompt_id: PromptId = None,
    options: DataOptions = AS_FOUND,
) -> None:
    """Write 4-panel pictures of a run, pictures of ground truth alone, or films of sequences."""
    if n is not None and n < 1:
        raise UsageProblem(f"--n: expected at least 1, got {n}")
    if metrics is None and sort in (QueueOrder.WORST, QueueOrder.BEST):
        raise UsageProblem(f"--sort {sort}: expected scores to sort by; name the evaluation of the run with --metrics")
    if films and (run is None or cases or sort or n is not None):
        stray = "name a RUN" if run is None else "leave --cases, --sort and --n out"
        raise UsageProblem(f"--films: shows whole sequences of a run; {stray}")
    if not films and (beside or sequences or rate is not None):
        raise UsageProblem("--beside, --sequences, --rate: go with --films")
    if films and (mask or dpi is not None):
        raise UsageProblem("--mask, --dpi: go with pictures; leave them or --films out")
    if run is None and (metrics or prompt_id or sort):
        raise UsageProblem("--metrics, --prompt-id, --sort: go with a RUN; name one, or leave them out")
    if cases and n is not None:
        raise UsageProblem("--n: --cases says which frames; leave one of them out")
    if dpi is not None:
        check_dpi(dpi)

    from helpers.review.pictures import run_panels, truth_panels, write_pictures  # here, so that --help need not wait
    from helpers.review.session import ranked

    folder = new_folder(output, "--output", data)
    opening = options.opening(data)
    if films and run is not None:
        runs = [run, *(beside or ())]
        asked = sequences or None
        typer.echo(_write_films(runs, opening, folder, sequences=asked, metrics=metrics, prompt=prompt_id, rate=rate))
        return
    most = _FRAMES if n is None else n
    if run is None:
        by_id = {case.case_id: case for case in opening.open().cases}
        wanted = _known(cases, by_id) or list(by_id)[:most]
        panels, title, stamp = truth_panels([by_id[case_id] for case_id in wanted]), "Ground truth", None
    else:
        source = source_of(run, opening, metrics, prompt_id, None)
        order = sort or (QueueOrder.NATURAL if metrics is None else QueueOrder.WORST)
        known = [case.case_id for case in ranked(source.cases, order, "dice")]
        wanted = _known(cases, known) or known[:most]
        panels, stamp = run_panels(source, wanted), source.stamp
        title = f"Run {source.scored_runs[0].name}" + ("" if source.title is None else f": {source.title}")
    style, dots = mask or MaskStyle.CONTOUR, DPI if dpi is None else dpi
    count = write_pictures(panels, folder, title, stamp, style=style, dpi=dots)
    typer.echo(f"{counted(count, 'picture')}, {counted(len(wanted) - count, 'frame')} that cannot be read: {folder}")
    if run is not None:
        typed = options.typed(prompt_id=prompt_id, metrics=metrics)
        typer.echo(next_text(["review-page", str(run), *data_words(data, typed), "--output", f"{run}-review.html"]))


def _write_films(
    runs: Sequence[Path],
    opening: "Opening",
    folder: Path,
    *,
    sequences: Sequence[str] | None,
    metrics: Path | None,
    prompt: str | None,
    rate: float | None,
) -> str:
    """Write the films of runs, the first of which they are about; what to tell the user."""
    folders = [input_path(runs[0], "RUN"), *(input_path(other, "--beside") for other in runs[1:])]
    scores = optional_input_path(metrics, "--metrics")

    from helpers.evaluation.metrics_folder import open_metrics
    from helpers.evaluation.scored_runs import open_scored_runs
    from helpers.review.films.film_export import PAGE_NAME, RATE, check_rate, write_cine  # as above
    from helpers.runs.run_folder import open_run

    shown_rate = RATE if rate is None else rate
    check_rate(shown_rate)
    scored_runs = open_scored_runs(folders, prompt=prompt or next(iter(open_run(folders[0]).prompts)))
    opened = None if scores is None else open_metrics(scores)
    record = write_cine(scored_runs, opening.open(), folder, sequences=sequences, metrics=opened, rate=shown_rate)
    frames = sum(one["frames"] for one in record["sequences"])
    gaps = sum(len(one["gaps"]) for one in record["sequences"])
    films = f"{counted(len(record['sequences']), 'sequence')} of {counted(frames, 'frame')}"
    return f"{films}, {counted(gaps, 'gap')}: {folder / PAGE_NAME}"


def _known(wanted: Sequence[str] | None, known: Collection[str]) -> list[str]:
    """The wanted cases, each once, all of which are known; none where none are asked for."""
    chosen, ours = list(dict.fromkeys(wanted or ())), set(known)
    strays = [case_id for case_id in chosen if case_id not in ours]
    if strays:
        raise UsageProblem(
            f"--cases: expected some of the {counted(len(ours), 'case')}, got {strays[0]!r}; `vesselkit data who` "
            "gives the case id of a file"
        )
    return chosen
