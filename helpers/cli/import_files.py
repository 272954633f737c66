"""`vesselkit import`: masks of other tools become a run, or a reader's corrections."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helpers.cli.arguments import data_words, input_path, next_steps, next_text, option_name, output_folder
from helpers.cli.options import (
    AS_FOUND,
    FRAMES_ONLY,
    Data,
    DataOptions,
    PromptId,
    source_of,
    with_data_options,
)
from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import BEGAN_ELSEWHERE, BeganFrom, Exchange, ImportedInto, Meaning

PARTS = {  # options that are needed, and others
    ImportedInto.RUN: (("name",), ("values",)),
    ImportedInto.CORRECTIONS: (("reviewer", "predictions", "began_from"), ("prompt_id",)),
}

if TYPE_CHECKING:  # so that --help need not wait
    from helpers.prediction.imports.import_run import ImportSummary


@with_data_options(without=FRAMES_ONLY)
def import_files(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder or annotation file of another tool.")],
    into: Annotated[ImportedInto, typer.Option("--into", metavar="|".join(ImportedInto), help="What to make of them.")],
    data: Data,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Run folder, or folder of corrections.")],
    kind: Annotated[
        Exchange | None, typer.Option("--as", metavar="|".join(Exchange), help="Format. Default: detected.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="For a run: who or what made the masks, such as nnunet."),
    ] = None,
    values: Annotated[
        Meaning | None,
        typer.Option(
            "--values", metavar="|".join(Meaning), help="For a run: meaning of the values. Default: detected."
        ),
    ] = None,
    vessel: Annotated[
        list[str] | None,
        typer.Option(
            "--vessel", metavar="LABEL", help="Label that means vessel, if there are several. May be given again."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="0.5",
            help="Probability above which a pixel is vessel; DICOM segmentations of probabilities need it.",
        ),
    ] = None,
    reviewer: Annotated[
        str | None, typer.Option("--reviewer", metavar="NAME", help="For corrections: who made them.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", metavar="RUN", help="For corrections: run whose cases they correct.")
    ] = None,
    prompt_id: PromptId = None,
    began_from: Annotated[
        BeganFrom | None,
        typer.Option(
            "--began-from", metavar="|".join(BEGAN_ELSEWHERE), help="For corrections: what the reader began from."
        ),
    ] = None,
    options: DataOptions = AS_FOUND,
) -> None:
    """Turn masks of other tools into a run folder, or into corrections."""
    of_run = {"name": name, "values": values}
    of_corrections = {
        "reviewer": reviewer, "predictions": predictions, "prompt_id": prompt_id, "began_from": began_from,
    }  # fmt: skip
    is_run = into is ImportedInto.RUN
    require_parts(into, {**of_run, **of_corrections})
    from helpers.data.exchange.exchanged import VesselChoice  # here, so that --help need not wait

    choice = VesselChoice(tuple(vessel or ()), threshold)
    source = input_path(folder, "DIR")
    written = output_folder(output, "--output", data)
    if is_run:
        assert name is not None
        from helpers.stages.exchange_stage import import_as_run, kind_for_run  # here, so that --help need not wait

        opening = options.opening(data)
        kind = kind_for_run(source, name, kind=kind, meaning=values, choice=choice, spell=option_name)
        dataset = opening.open()
        summary = import_as_run(
            source, dataset, written, name, kind=kind, meaning=values, choice=choice, spell=option_name
        )
        tell(summary, written, output, data, options, scores=any(case.truth for case in dataset.cases))
        return
    assert reviewer is not None and predictions is not None and began_from is not None
    from helpers.stages.exchange_stage import import_as_corrections, kind_for_corrections

    kind = kind_for_corrections(source, written, kind=kind, choice=choice, spell=option_name)
    review = source_of(predictions, options.opening(data), None, prompt_id, None, option="--predictions")
    taken = import_as_corrections(
        source, review, written, reviewer, began_from, kind=kind, choice=choice, spell=option_name
    )
    typer.echo(taken.to_text())
    if not taken.any_stands:
        return
    typed = options.typed(what="corrections", corrections=output, prompt_id=prompt_id, output="DATASET")
    typer.echo(next_text(["export", str(predictions), *data_words(data, typed)]))


def require_parts(into: ImportedInto, given: Mapping[str, object]) -> None:
    """Refuse what is missing, all at once, and what plays no part.

    Args:
        given: option -> its value, of all options of a run and of corrections; None where it was not given.
    Raises:
        UsageProblem: naming the options.
    """
    needed, optional = PARTS[into]
    missing = [option_name(one) for one in needed if given[one] is None]
    if missing:
        raise UsageProblem(f"{', '.join(missing)}: expected with --into {into}, got none")
    for one, value in given.items():
        if value is not None and one not in (*needed, *optional):
            raise UsageProblem(f"{option_name(one)}: plays no part with --into {into}. Leave it out")


def tell(summary: "ImportSummary", run: Path, typed: Path, data: Path, options: DataOptions, *, scores: bool) -> None:
    """Say what was imported into a run, and what goes on from there. Ends with 1 where nothing of it can be scored.

    Args:
        run, typed: the run folder, and as it was typed.
        scores: whether there is ground truth.
    """
    from helpers.runs.run_folder import open_run  # here, so that --help need not wait
    from helpers.runs.status import all_failed

    typer.echo(summary.to_text())
    if all_failed(row.status for row in open_run(run).rows):
        typer.echo("every case ended in an error: nothing of what was imported can be scored")
        raise typer.Exit(1)
    if not (summary.empty or summary.copies or summary.full):  # these warnings are the last words
        typer.echo(next_steps(typed, data, options.typed(), scores=scores))
