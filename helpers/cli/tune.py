"""`vesselkit tune`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import json_with, next_text, output_file
from helpers.cli.options import AS_FOUND, Data, DataOptions, Processes, with_data_options
from helpers.core.vocabulary import Baseline

_SETTINGS = json_with("settings of the baseline", "settings", schema="vesselkit.vesselness")


@with_data_options()
def tune(
    baseline: Annotated[Baseline, typer.Argument(metavar="BASELINE", help="frangi.")],
    data: Data,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="JSON file of the chosen settings.")],
    options: DataOptions = AS_FOUND,
    processes: Processes = 2,
) -> None:
    """Choose a baseline's parameters on a development split."""
    from helpers.evaluation.frangi_tuning import tune as choose_settings  # here, so that --help need not wait
    from helpers.evaluation.frangi_tuning import write_choice

    path = output_file(output, "--output", _SETTINGS)
    dataset = options.opening(data).open_to_score()
    result = choose_settings(dataset, split=options.split, processes=processes)
    write_choice(result, path)
    typer.echo(f"{result.to_text()}\nwritten to {path}")
    words = ["predict", "--model", str(baseline), "--model-config", str(path), "--data", "DATASET", "--output", "RUN"]
    typer.echo(next_text(words))
