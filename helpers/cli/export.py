"""`vesselkit export`: masks of a run, those to fix, corrections and pairs, in the formats of other tools."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import data_words, new_folder, next_text, option_name, optional_input_path
from helpers.cli.options import (
    AS_FOUND,
    FRAMES_ONLY,
    Cases,
    DataOptions,
    PromptId,
    RunData,
    RunFolder,
    source_of,
    with_data_options,
)
from helpers.core.vocabulary import Exchange, Exported, Identity


@with_data_options(without=FRAMES_ONLY)
def export(
    run: RunFolder,
    data: RunData,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="New folder.")],
    what: Annotated[
        Exported, typer.Option("--what", metavar="|".join(Exported), help="What to write.")
    ] = Exported.MASKS,
    kind: Annotated[Exchange, typer.Option("--as", metavar="|".join(Exchange), help="Format.")] = Exchange.PNG,
    verdicts: Annotated[
        Path | None,
        typer.Option("--verdicts", metavar="DIR", help="Folder of verdicts, for to-fix and --accept-as-truth."),
    ] = None,
    corrections: Annotated[
        Path | None, typer.Option("--corrections", metavar="DIR", help="Folder of the readers' corrections.")
    ] = None,
    adjudicator: Annotated[
        str | None,
        typer.Option(
            "--adjudicator",
            metavar="NAME",
            help="Reader whose mask counts where readers differ. Without one, these cases are left out.",
        ),
    ] = None,
    accept_as_truth: Annotated[
        bool,
        typer.Option(
            "--accept-as-truth", help="Use predictions that reviewers accepted as ground truth, and mark them so."
        ),
    ] = False,
    identity: Annotated[
        Identity,
        typer.Option("--identity", metavar="|".join(Identity), help="For dicom-seg: whose identity the files have."),
    ] = Identity.DECLARED,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin", metavar="X", help="For pairs: how much readers differ, as 1 - intersection over union."
        ),
    ] = None,
    prompt_id: PromptId = None,
    cases: Cases = None,
    options: DataOptions = AS_FOUND,
) -> None:
    """Write a run's masks, masks to fix, corrections or pairs for other tools."""
    from helpers.stages.exchange_stage import ExportRequest  # here, so that --help need not wait

    request = ExportRequest(
        what,
        kind,
        optional_input_path(verdicts, "--verdicts"),
        optional_input_path(corrections, "--corrections"),
        adjudicator,
        accept_as_truth,
        tuple(cases or ()),
        identity,
        margin,
        option_name,
    )
    folder = new_folder(output, "--output", data)
    source = source_of(run, options.opening(data), None, prompt_id, None)
    typer.echo(request.run(source, folder).to_text())
    if what in (Exported.MASKS, Exported.TO_FIX):
        typed = options.typed(into="corrections", predictions=run, prompt_id=prompt_id, reviewer="NAME")
        typed |= {"began_from": "prediction", "output": "CORRECTIONS"}
        typer.echo(next_text(["import", str(output), *data_words(data, typed)]))
