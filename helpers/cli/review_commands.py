"""Commands of the review by eye: the page from the disk, pictures, and verdicts in and out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helpers.cli.arguments import (
    Earlier,
    data_words,
    input_path,
    new_folder,
    next_text,
    optional_input_path,
    output_file,
    typed_path,
)
from helpers.cli.data_set import GroupBy, IdKey, IdsOption, Layout, Rescale, RescaleFrom, Split, opening
from helpers.core.errors import UsageProblem
from helpers.core.paths import followed
from helpers.core.vocabulary import QueueOrder
from helpers.review.figures.sheet_layout import DPI, MaskStyle, check_dpi

if TYPE_CHECKING:  # so that --help need not wait
    from helpers.data.dataset import Dataset


def write_films(
    runs: Sequence[Path],
    dataset: "Dataset",
    folder: Path,
    *,
    sequences: Sequence[str] | None,
    metrics: Path | None,
    prompt: str | None,
    rate: float,
) -> str:
    """Write the films of runs, the first of which they are about; what to tell the user."""
    folders = [input_path(runs[0], "RUN"), *(input_path(other, "--against") for other in runs[1:])]
    scores = optional_input_path(metrics, "--metrics")

    from helpers.evaluation.metrics_folder import open_metrics
    from helpers.evaluation.scored_runs import open_scored_runs
    from helpers.review.films.film_export import PAGE_NAME, write_cine  # here, so that --help need not wait
    from helpers.runs.run_folder import open_run

    subjects = open_scored_runs(folders, prompt=prompt or next(iter(open_run(folders[0]).prompts)))
    opened = None if scores is None else open_metrics(scores)
    record = write_cine(subjects, dataset, folder, sequences=sequences, metrics=opened, rate=rate)
    frames = sum(one["frames"] for one in record["sequences"])
    gaps = sum(len(one["gaps"]) for one in record["sequences"])
    return f"{len(record['sequences'])} sequences of {frames} frames, {gaps} gaps: {folder / PAGE_NAME}"


if TYPE_CHECKING:  # so that --help need not wait
    from helpers.data.dataset import Dataset
    from helpers.review.review_source import ReviewSource

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Finished run folder.")]
Data = Annotated[Path, typer.Option("--data", metavar="DATASET", help="Data set that the run was made from.")]
Metrics = Annotated[
    Path | None, typer.Option("--metrics", metavar="DIR", help="Evaluation of the run, for scores and their order.")
]
Prompt = Annotated[str | None, typer.Option("--prompt", metavar="ID", help="Such as p1. Else the first of the run.")]
Cases = Annotated[list[str] | None, typer.Option("--cases", metavar="ID", help="Only this case. May be given again.")]

_PAGE = Earlier("an earlier page of a review", lambda content: b'id="vesselkit-facts"' in content)


def report(
    run: RunFolder,
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", metavar="review.html", help="Page to write; an earlier one is replaced.")
    ] = Path("review.html"),
    metrics: Metrics = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="RUN2", help="Run to show in its place with the key b.")
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option("--beside", metavar="RUN3", help="Run to show beside it. May be given again."),
    ] = None,
    prompt: Prompt = None,
    cases: Cases = None,
    verdicts: Annotated[
        Path | None, typer.Option("--verdicts", metavar="DIR", help="Folder of verdicts to show from the start.")
    ] = None,
    layout: Layout = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    split: Split = None,
    rescale: Rescale = False,
    rescale_from: RescaleFrom = None,
) -> None:
    from helpers.review.page import write_page  # here, so that --help need not wait
    from helpers.review.verdicts import VerdictStore

    given = optional_input_path(verdicts, "--verdicts")
    if output.suffix.lower() != ".html":
        raise UsageProblem(f"--output: expected a name that ends in .html, got {output.name}")
    written = output_file(output, "--output", _PAGE, data)
    source = _source(
        run,
        opening(data, layout, ids, id_key, group_by, split, rescale, rescale_from).open(),
        metrics,
        prompt,
        optional_input_path(against, "--against"),
        [input_path(one, "--beside") for one in beside or ()],
    )
    records = () if given is None else VerdictStore(given).records()
    path = write_page(source, written, case_ids=cases or None, records=records)
    scored = "with scores" if source.scores else "without scores" if metrics else "without scores (--metrics adds them)"
    typer.echo(f"{len(cases or source.cases)} cases, {scored}: {path}")
    options = {"layout": layout, "ids": ids, "id_key": id_key, "group_by": group_by, "split": split}
    options |= {"rescale": rescale, "rescale_from": rescale_from, "prompt": prompt, "against": against}
    typer.echo("what a reviewer downloads from the page, FILE below, comes back with the next command")
    options |= {"verdicts": verdicts or f"{run}-verdicts", "import": "FILE"}
    typer.echo(next_text(["review", str(run), *data_words(data, options)]))


def review(
    run: RunFolder,
    data: Data,
    verdicts: Annotated[Path, typer.Option("--verdicts", metavar="DIR", help="Folder of verdicts of the review.")],
    taken: Annotated[
        list[Path] | None,
        typer.Option("--import", metavar="FILE", help="Downloaded verdicts to take over. May be given again."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="DIR", help="New folder: table, rejected cases, frames to correct."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="RUN2", help="Run that was shown in its place, to compare with.")
    ] = None,
    metrics: Metrics = None,
    prompt: Prompt = None,
    layout: Layout = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    split: Split = None,
    rescale: Rescale = False,
    rescale_from: RescaleFrom = None,
) -> None:
    files = [input_path(path, "--import") for path in taken or ()]
    folder = None if export is None else new_folder(export, "--export", data)

    from helpers.review.agreement import agreements, preferences  # here, so that --help need not wait
    from helpers.review.session import ReviewSession
    from helpers.review.verdict_export import write_export
    from helpers.review.verdicts import VerdictStore, current, elsewhere, read_taken

    other = optional_input_path(against, "--against")
    dataset = opening(data, layout, ids, id_key, group_by, split, rescale, rescale_from).open()
    source = _source(run, dataset, metrics, prompt, other)
    store = VerdictStore(followed(typed_path(verdicts)))
    for found in [read_taken(path) for path in files]:  # all are read before any is taken
        ours = [one for one in found if source.places(one)]
        typer.echo(f"{store.merge(ours)} records taken over, {len(found) - len(ours)} of another run passed over")
    records = store.records()
    verdicts_on = [
        current(one for one in records if place in source.places(one)) for place in range(len(source.subjects))
    ]
    standing = verdicts_on[0]
    for reviewer in sorted(standing):
        session = ReviewSession(source.cases, store, reviewer, source.run, source.prompt)
        typer.echo(f"{reviewer}: {session.progress()}")
    for found in agreements(standing):
        typer.echo(found)
    for subject, theirs in zip(source.subjects[1:], verdicts_on[1:], strict=True):
        for line in preferences((source.subjects[0].name, subject.name), standing, theirs):
            typer.echo(line)
    lapsed = sum(bool(one.verdict) and not source.places(one) for one in records)
    if lapsed:
        typer.echo(elsewhere(lapsed))
    if not standing:
        typer.echo("no verdicts on this run and prompt")
    if folder is not None:
        wanted = write_export(source, standing, folder)
        typer.echo(f"{len(wanted)} cases to correct: {folder}")


def visualize(
    data: Annotated[
        Path, typer.Option("--data", metavar="DATASET", help="Data set, that of the run where one is named.")
    ],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="New folder for the pictures.")],
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Finished run folder. Without one, ground truth alone.")
    ] = None,
    n: Annotated[int, typer.Option("--n", metavar="5", help="How many cases.")] = 5,
    cases: Cases = None,
    sort: Annotated[
        QueueOrder | None,
        typer.Option("--sort", metavar="worst|best|natural", help="By Dice, or by case id. Else worst, with scores."),
    ] = None,
    films: Annotated[
        bool, typer.Option("--films", help="Films of the run's sequences, with a page that plays them, not pictures.")
    ] = False,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="RUN2", help="Run beside it in films. May be given again."),
    ] = None,
    sequences: Annotated[
        list[str] | None,
        typer.Option("--sequences", metavar="ID", help="Only films of this one. May be given again."),
    ] = None,
    rate: Annotated[float, typer.Option("--rate", metavar="10", help="Frames a second of films.")] = 10.0,
    mask: Annotated[
        MaskStyle | None,
        typer.Option(
            "--mask", metavar="contour|fill", help="How pictures draw a mask. Else contour, beside its pixels."
        ),
    ] = None,
    dpi: Annotated[
        float | None,
        typer.Option(
            "--dpi",
            metavar="100",
            help="Scale of pictures: 100 gives a frame's pixel one of the picture, 200 two by two. Else 100.",
        ),
    ] = None,
    metrics: Metrics = None,
    prompt: Prompt = None,
    layout: Layout = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    split: Split = None,
    rescale: Rescale = False,
    rescale_from: RescaleFrom = None,
) -> None:
    if n < 1:
        raise UsageProblem(f"--n: expected at least 1, got {n}")
    if metrics is None and sort in (QueueOrder.WORST, QueueOrder.BEST):
        raise UsageProblem(f"--sort {sort}: expected scores to sort by; name the evaluation of the run with --metrics")

    if films and (run is None or cases or sort):
        stray = "name a RUN" if run is None else "leave --cases and --sort out"
        raise UsageProblem(f"--films: shows whole sequences of a run; {stray}")
    if not films and (against or sequences):
        raise UsageProblem("--against, --sequences: go with --films")
    if films and (mask or dpi is not None):
        raise UsageProblem("--mask, --dpi: go with pictures; leave them or --films out")
    if dpi is not None:
        check_dpi(dpi)

    from helpers.review.pictures import run_panels, truth_panels, write_pictures  # here, so that --help need not wait
    from helpers.review.session import ranked

    folder = new_folder(output, "--output", data)
    dataset = opening(data, layout, ids, id_key, group_by, split, rescale, rescale_from).open()
    if films:
        shown = {"sequences": sequences or None, "metrics": metrics, "prompt": prompt, "rate": rate}
        typer.echo(write_films([run, *(against or ())], dataset, folder, **shown))
        return
    if run is None:
        known = [case.case_id for case in dataset.cases]
        wanted = _known(cases, known) or known[:n]
        panels, title = truth_panels([case for case in dataset.cases if case.case_id in wanted]), "Ground truth"
        stamp = None
    else:
        source = _source(run, dataset, metrics, prompt, None)
        order = sort or (QueueOrder.NATURAL if metrics is None else QueueOrder.WORST)
        known = [case.case_id for case in ranked(source.cases, order, "dice")]
        wanted = _known(cases, known) or known[:n]
        panels, stamp = run_panels(source, wanted), source.stamp
        title = f"Run {source.subjects[0].name}" + ("" if source.title is None else f": {source.title}")
    drawn = {"style": MaskStyle(mask or MaskStyle.CONTOUR), "dpi": DPI if dpi is None else dpi}
    count = write_pictures(panels, folder, title, stamp, **drawn)
    typer.echo(f"{count} pictures, {len(wanted) - count} frames that cannot be read: {folder}")
    if run is not None:
        options = {"layout": layout, "ids": ids, "id_key": id_key, "group_by": group_by, "split": split}
        options |= {"rescale": rescale, "rescale_from": rescale_from, "prompt": prompt, "metrics": metrics}
        typer.echo(next_text(["report", str(run), *data_words(data, options), "--output", f"{run}-review.html"]))


def _known(wanted: list[str] | None, known: list[str]) -> list[str]:
    """The wanted cases, all of which are known."""
    for case_id in wanted or ():
        if case_id not in known:
            raise UsageProblem(f"--cases: expected some of the {len(known)} cases, got {case_id!r}")
    return wanted or []


def _source(
    run: Path,
    dataset: "Dataset",
    metrics: Path | None,
    prompt: str | None,
    against: Path | None,
    beside: Sequence[Path] = (),
) -> "ReviewSource":
    from helpers.evaluation.metrics_folder import open_metrics
    from helpers.review.review_source import open_source

    scores = optional_input_path(metrics, "--metrics")
    opened = None if scores is None else open_metrics(scores)
    folder = input_path(run, "RUN")
    return open_source(folder, dataset, against=against, beside=beside, metrics=opened, prompt=prompt)
