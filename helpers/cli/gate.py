"""`vesselkit gate`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, json_with, output_file
from helpers.core.errors import UsageProblem
from helpers.core.shown_text import counted

_BASELINE = json_with("a baseline of the gate", "configuration", "cases", schema="vesselkit.gate")


def gate(
    baseline: Annotated[Path, typer.Option("--baseline", metavar="FILE", help="Recorded scores.")],
    metrics: Annotated[
        Path, typer.Option("--metrics", metavar="DIR", help="Folder that `evaluate` wrote; uses its first run.")
    ],
    update: Annotated[bool, typer.Option("--update", help="Record these scores as the baseline instead.")] = False,
    case_tolerance: Annotated[
        float,
        typer.Option("--case-tolerance", metavar="0.1", help="Largest allowed drop in Dice or clDice of one case."),
    ] = 0.10,
    mean_tolerance: Annotated[
        float,
        typer.Option(
            "--mean-tolerance", metavar="0.01", help="Largest allowed drop in their means, if the drop is certain."
        ),
    ] = 0.01,
) -> None:
    """Fail if scores dropped below a recorded baseline."""
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
        typer.echo(f"{counted(len(scores.cases), 'case')} recorded in {file}")
        return
    recorded = read_baseline(file)
    found = check(
        recorded, scores_of(open_metrics(folder)), case_tolerance=case_tolerance, mean_tolerance=mean_tolerance
    )
    typer.echo(found.to_text())
    if not found.passed:
        raise typer.Exit(1)
