"""Commands that score runs against ground truth, and the regression gate."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import (
    data_words,
    input_path,
    json_with,
    next_text,
    optional_input_path,
    output_file,
    output_folder,
)
from helpers.cli.data_set import Data, GroupBy, IdKey, IdsOption, Layout, Rescale, RescaleFrom, Split, opening
from helpers.core.errors import UsageProblem

_BASELINE = json_with("a baseline of the gate", "configuration", "cases", schema="vesselkit.gate")
Training = Annotated[
    Path | None,
    typer.Option("--training", metavar="FILE", help="Training images: names, annotations, or the config.py."),
]


ExcludeTraining = Annotated[
    bool,
    typer.Option("--exclude-training", help="Score no patient of whom training saw frames; they are counted."),
]


def evaluate(
    predictions: Annotated[Path, typer.Option("--predictions", metavar="RUN", help="Finished run folder.")],
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder to write; an earlier evaluation is replaced.")
    ],
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="RUN2", help="Run to compare with, on the same cases. May be given again."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="Of each run in all tables, in order. Else its folder's."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", metavar="ID", help="Such as p1. Else every prompt of a run.")
    ] = None,
    training: Training = None,
    exclude_training: ExcludeTraining = False,
    development: Annotated[
        Path | None,
        typer.Option(
            "--development",
            metavar="DIR",
            help="Evaluation of the same model on other patients, to choose a threshold on. Else cross-validation.",
        ),
    ] = None,
    close_gaps: Annotated[
        int, typer.Option("--close-gaps", metavar="0", help="Measure closing gaps with a disk of this radius.")
    ] = 0,
    remove_small: Annotated[
        int, typer.Option("--remove-small", metavar="0", help="Measure dropping pieces of fewer pixels.")
    ] = 0,
    rescale: Rescale = False,
    rescale_from: RescaleFrom = None,
    split: Split = None,
    layout: Layout = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    processes: Annotated[int, typer.Option("--processes", metavar="2", help="That score cases.")] = 2,
) -> None:
    if processes < 1:
        raise UsageProblem(f"--processes: expected at least 1, got {processes}")
    runs = [input_path(predictions, "--predictions"), *(input_path(run, "--against") for run in against or ())]
    trained_on = optional_input_path(training, "--training")
    developed_on = optional_input_path(development, "--development")

    from helpers.evaluation.case_choice import check_text
    from helpers.evaluation.evaluate import evaluate as run_evaluation
    from helpers.evaluation.metrics_folder import check_output
    from helpers.metrics.postprocessing import Processing

    processing = Processing(close_gaps=close_gaps, remove_small=remove_small)
    folder = output_folder(output, "--output", data)
    check_output(folder)
    dataset = opening(data, layout, ids, id_key, group_by, split, rescale, rescale_from).open()
    for note in dataset.notes:
        if note not in dataset.rules_notes:  # these were said when it was opened
            typer.echo(note)
    found = run_evaluation(
        runs,
        dataset,
        folder,
        names=name or None,
        prompt=prompt,
        training=trained_on,
        exclude_training=exclude_training,
        development=developed_on,
        processing=processing if processing.active else None,
        processes=processes,
    )
    typer.echo(found.text.split("\n## Second table")[0])
    typer.echo(f"written to {folder}")
    options = {"layout": layout, "ids": ids, "id_key": id_key, "group_by": group_by, "split": split}
    options |= {"rescale": rescale, "rescale_from": rescale_from, "prompt": prompt, "metrics": folder}
    typer.echo(next_text(["report", str(runs[0]), *data_words(data, options), "--output", f"{folder}-review.html"]))
    for checked in found.summary["data_check"]:
        typer.echo(f"warning: {check_text(checked)}")


def gate(
    baseline: Annotated[Path, typer.Option("--baseline", metavar="FILE", help="Recorded scores.")],
    metrics: Annotated[
        Path, typer.Option("--metrics", metavar="DIR", help="Folder that `evaluate` wrote; its first run counts.")
    ],
    update: Annotated[bool, typer.Option("--update", help="Record these scores as the baseline instead.")] = False,
    case_tolerance: Annotated[
        float, typer.Option("--case-tolerance", metavar="0.1", help="Largest fall of Dice or clDice of one case.")
    ] = 0.10,
    mean_tolerance: Annotated[
        float, typer.Option("--mean-tolerance", metavar="0.01", help="Largest fall of their means, if it is certain.")
    ] = 0.01,
) -> None:
    for name, value in (("--case-tolerance", case_tolerance), ("--mean-tolerance", mean_tolerance)):
        if not 0 <= value <= 1:
            raise UsageProblem(f"{name}: expected 0 to 1, got {value}")
    folder = input_path(metrics, "--metrics")
    file = output_file(baseline, "--baseline", _BASELINE) if update else input_path(baseline, "--baseline")

    from helpers.evaluation.metrics_folder import open_metrics  # here, so that --help need not wait
    from helpers.evaluation.regression_gate import check, read_baseline, scores_of, write_baseline

    if update:
        scores = scores_of(open_metrics(folder))
        write_baseline(file, scores)
        typer.echo(f"{len(scores.cases)} cases recorded in {file}")
        return
    recorded = read_baseline(file)
    found = check(
        recorded, scores_of(open_metrics(folder)), case_tolerance=case_tolerance, mean_tolerance=mean_tolerance
    )
    typer.echo(found.to_text())
    if not found.passed:
        raise typer.Exit(1)
