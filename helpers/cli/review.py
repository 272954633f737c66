"""`vesselkit review`: opens the viewer, or takes over, counts and exports its verdicts."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helpers.cli.arguments import data_words, input_path, new_folder, next_text, optional_input_path, typed_path
from helpers.cli.options import (
    AS_FOUND,
    DataOptions,
    Metrics,
    PromptId,
    RunData,
    RunFolder,
    ViewerLanguage,
    source_of,
    with_data_options,
)
from helpers.core.errors import UsageProblem
from helpers.core.given_values import share
from helpers.core.paths import Stage, followed, stage_folder
from helpers.core.shown_text import counted

if TYPE_CHECKING:  # so that --help need not wait
    from helpers.review.review_source import ReviewSource


@with_data_options()
def review(
    context: typer.Context,
    run: RunFolder,
    data: RunData,
    verdicts: Annotated[
        Path | None,
        typer.Option("--verdicts", metavar="DIR", help="Folder of verdicts: count them without opening the viewer."),
    ] = None,
    taken: Annotated[
        list[Path] | None,
        typer.Option("--import", metavar="FILE", help="Downloaded verdicts and masks to import. May be given again."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="DIR", help="New folder: table, rejected cases, to correct.", hidden=True),
    ] = None,
    reviewer: Annotated[
        str | None,
        typer.Option(
            "--reviewer", metavar="NAME", help="Name under which the viewer saves verdicts. Default: reviewer."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="RUN2", help="Run to compare with; the key b switches to it."),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option("--beside", metavar="RUN3", help="Run to show side by side. May be given again."),
    ] = None,
    metrics: Metrics = None,
    prompt_id: PromptId = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="DIR", help="Model folder whose SAM2 segments from clicks and carries corrections."
        ),
    ] = None,
    from_empty: Annotated[
        float,
        typer.Option(
            "--from-empty",
            metavar="SHARE",
            help="Share of the cases to draw from empty, before the prediction is shown; 0.1 is 10 %.",
        ),
    ] = 0.0,
    queue: Annotated[
        int | None,
        typer.Option("--queue", metavar="N", min=1, help="Only the N cases to look at next, by the model's own guess."),
    ] = None,
    language: ViewerLanguage = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", help="Port of the viewer on this machine. Default: 8866.")
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the viewer's address and open no browser.")
    ] = False,
    options: DataOptions = AS_FOUND,
) -> None:
    """Open a run's review in the browser, or count, import and export its verdicts."""
    share(from_empty, "--from-empty", "the cases")
    of_viewer: dict[str, object] = {"reviewer": reviewer, "beside": beside, "model": model, "from-empty": from_empty}
    of_viewer |= {"queue": queue, "language": language, "port": port, "no-browser": no_browser}
    strays = [name for name, value in of_viewer.items() if value] if verdicts is not None else []
    if strays:
        raise UsageProblem(
            f"--{strays[0]}: goes with the viewer, which --verdicts does not open. Leave one of them out"
        )
    if verdicts is None and (taken or export):
        raise UsageProblem(
            "--verdicts: expected the folder of the verdicts that --import and --export go with, got none"
        )
    if verdicts is None and options.rescale:
        raise UsageProblem(
            "--rescale: the viewer fits no ground truths. Leave it out, or write a page with review-page"
        )
    files = [input_path(path, "--import") for path in taken or ()]
    folder = None if export is None else new_folder(export, "--export", data)
    others = [input_path(one, "--beside") for one in beside or ()]
    other = optional_input_path(against, "--against")
    model_folder = optional_input_path(model, "--model")
    counted_in = None if verdicts is None else _verdicts_folder(verdicts, files)
    source = source_of(run, options.opening(data), metrics, prompt_id, other, others, queue)
    if counted_in is not None:
        taken_over = _count(source, counted_in, files, folder)
        if taken_over is not None:
            typed = options.typed(prompt_id=prompt_id, what="corrections", corrections=taken_over, output="DATASET")
            typer.echo(next_text(["export", str(run), *data_words(data, typed)]))
        return

    viewer = {
        "against": [] if other is None else [other],
        "beside": others,
        "prompt": prompt_id,
        "reviewer": reviewer,
        "metrics": optional_input_path(metrics, "--metrics"),
        "model": model_folder,
        "from_empty": from_empty or None,
        "queue": queue,
        "language": None if language is None else language.value,
    }
    values, kept = _viewer(input_path(run, "RUN"), data, options, viewer)

    from helpers.notebook.serve import PORT, serve  # here, so that --help need not wait
    from helpers.review.corrections.reviewed import corrections_beside

    typer.echo(f"verdicts are kept in {kept}, corrections in {corrections_beside(kept)}; Ctrl-C ends the viewer")
    typed = options.typed(prompt_id=prompt_id, verdicts=kept)
    typer.echo(next_text(["review", str(run), *data_words(data, typed)]))
    # Once this command's line of progress is off the screen.
    context.obj.afterwards = partial(serve, values, port=PORT if port is None else port, browser=not no_browser)


def _viewer(run: Path, data: Path, options: DataOptions, shown: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
    """The parameters of the viewer's notebook, and the folder of its verdicts: in the run's project, or beside it."""
    from helpers.notebook.serve import review_parameters  # here, so that --help need not wait

    inside = run.parent.name == Stage.PREDICT.value
    project = run.parent.parent if inside else run.with_name(f"{run.name}-review")
    opening = options.opening(data)
    told = {name: getattr(opening, name) for name in ("data", "layout", "ids", "id_key", "group_by", "split")}
    told |= {"rescale_from": opening.rescale_from, "project": project, "predictions": run}
    return review_parameters(**told, **shown), stage_folder(str(project), Stage.REVIEW) / run.name / "verdicts"


def _verdicts_folder(given: Path, files: Sequence[Path]) -> Path:
    """The folder of verdicts as an absolute path; it may be new where files are imported.

    Raises:
        UsageProblem: where it is plainly another thing, or nothing is there and beside it that could be counted.
    """
    from helpers.review.corrections.reviewed import corrections_beside  # here, so that --help need not wait
    from helpers.review.kit_folders import require_verdicts

    folder = followed(typed_path(given))
    require_verdicts(folder, "--verdicts")
    if not files and not folder.exists() and not corrections_beside(folder).exists():
        raise UsageProblem(
            f"--verdicts {given}: expected a folder of verdicts, found none at {folder}. The viewer makes it with the "
            "first verdict, and --import FILE of a downloaded file"
        )
    return folder


def _count(source: "ReviewSource", verdicts: Path, files: Sequence[Path], folder: Path | None) -> Path | None:
    """Say what the verdicts in a folder come to, once those of downloaded files are imported; export them.

    Returns:
        The folder of corrections that the files' corrections are in; None where they had none that are there now.
    """
    from helpers.review.agreement import agreements, preferences  # here, so that --help need not wait
    from helpers.review.corrections.drawn import read_drawn
    from helpers.review.corrections.reviewed import ReviewedCorrections, corrections_beside
    from helpers.review.corrections.store import CorrectionStore
    from helpers.review.session import ReviewSession
    from helpers.review.verdict_export import write_verdict_export
    from helpers.review.verdicts import VerdictStore, current, elsewhere, read_taken

    store = VerdictStore(verdicts)
    corrections = ReviewedCorrections(source, CorrectionStore(corrections_beside(verdicts)))
    any_kept = False
    # All are read before any is taken.
    for path, found, drawn in [(path, read_taken(path), read_drawn(path)) for path in files]:
        ours = [one for one in found if source.places(one)]
        new = store.merge(ours)
        if found:
            known = f", {len(ours) - new} there already" if len(ours) > new else ""
            passed = f"{len(found) - len(ours)} of another run skipped"
            typer.echo(f"{counted(new, 'record')} imported, {passed}{known}")
        if drawn:
            handed = corrections.hand_in(drawn)
            any_kept = any_kept or bool(handed.kept or handed.known)
            there = f": {corrections.store.folder}" if corrections.store.folder.is_dir() else ""
            typer.echo(f"{handed.to_text()}{there}")
        if not found and not drawn:
            typer.echo(f"{path}: no verdicts and no corrections in it")
    records = store.records()
    verdicts_on = [
        current(one for one in records if place in source.places(one)) for place in range(len(source.scored_runs))
    ]
    standing = verdicts_on[0]
    for reviewer in sorted(standing):
        session = ReviewSession(source.cases, store, reviewer, source.run, source.prompt)
        typer.echo(f"{reviewer}: {session.progress()}")
    for agreement in agreements(standing):
        typer.echo(agreement)
    for scored_run, theirs in zip(source.scored_runs[1:], verdicts_on[1:], strict=True):
        for line in preferences((source.scored_runs[0].name, scored_run.name), standing, theirs):
            typer.echo(line)
    if corrections.standing:
        typer.echo(corrections.to_text(corrections.measured_anchoring()))
    lapsed = sum(bool(one.verdict) and not source.places(one) for one in records)
    if lapsed:
        typer.echo(elsewhere(lapsed))
    if not standing:
        alone = ", and corrections need none" if corrections.standing else ""
        typer.echo(f"no verdicts on this run and prompt{alone}")
    if folder is not None:
        wanted = write_verdict_export(source, standing, folder)
        typer.echo(f"{counted(len(wanted), 'case')} to correct: {folder}")
    return corrections.store.folder if any_kept else None
