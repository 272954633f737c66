"""`vesselkit evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import data_words, input_path, next_text, option_name
from helpers.cli.options import AS_FOUND, Data, DataOptions, ExcludeTraining, Processes, Training, with_data_options


@with_data_options()
def evaluate(
    predictions: Annotated[Path, typer.Option("--predictions", metavar="RUN", help="Finished run folder.")],
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder to write; replaces an earlier evaluation.")
    ],
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="RUN2", help="Run to compare with, on the same cases. May be given again."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="NAME", help="Name of each run in all tables, in order. Default: its folder's name."
        ),
    ] = None,
    prompt_id: Annotated[
        str | None, typer.Option("--prompt-id", metavar="ID", help="Such as p1. Default: every prompt of a run.")
    ] = None,
    training: Training = None,
    exclude_training: ExcludeTraining = False,
    development: Annotated[
        Path | None,
        typer.Option(
            "--development",
            metavar="DIR",
            help="Evaluation of the same model on other patients, to choose the threshold. Default: cross-validation.",
        ),
    ] = None,
    close_gaps: Annotated[
        int,
        typer.Option(
            "--close-gaps",
            metavar="0",
            help="Also score masks with gaps closed by a disk of this radius; this bridges occlusions too.",
        ),
    ] = 0,
    remove_small: Annotated[
        int, typer.Option("--remove-small", metavar="0", help="Also score masks without pieces of fewer pixels.")
    ] = 0,
    groups: Annotated[
        str | None,
        typer.Option(
            "--groups",
            metavar="COLUMN",
            help="Also score by group: a column of a CSV file next to the data, or view or vendor of DICOM headers.",
        ),
    ] = None,
    options: DataOptions = AS_FOUND,
    processes: Processes = 2,
) -> None:
    """Score runs against ground truth, with intervals and paired comparison."""
    from helpers.evaluation.case_choice import check_text
    from helpers.evaluation.patients_needed import needed_text
    from helpers.stages.evaluate_stage import EvaluateRequest

    runs = [input_path(predictions, "--predictions"), *(input_path(run, "--against") for run in against or ())]
    evaluation = EvaluateRequest(
        runs,
        options.opening(data),
        output,
        names=name or None,
        prompt=prompt_id,
        training=training,
        exclude_training=exclude_training,
        development=development,
        close_gaps=close_gaps,
        remove_small=remove_small,
        groups=groups,
        processes=processes,
        spell=option_name,
    ).run(typer.echo)
    typer.echo(evaluation.text.split("\n## Second table")[0])
    typer.echo(needed_text(evaluation.summary))
    typer.echo(f"written to {evaluation.folder}")
    typed = options.typed(prompt_id=prompt_id, metrics=evaluation.folder)
    page = ["--output", f"{evaluation.folder}-review.html"]
    typer.echo(next_text(["review-page", str(runs[0]), *data_words(data, typed), *page]))
    for checked in evaluation.summary["data_check"]:
        typer.echo(f"warning: {check_text(checked)}")
