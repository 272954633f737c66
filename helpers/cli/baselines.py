"""Commands about baselines and about masks that come from elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, json_with, next_steps, next_text, output_file, output_folder
from helpers.cli.data_set import Data, GroupBy, IdKey, IdsOption, Layout, Rescale, RescaleFrom, Split, opening
from helpers.cli.predictors import Threshold
from helpers.core.vocabulary import Baseline, Meaning

_SETTINGS = json_with("settings of the baseline", "settings", schema="vesselkit.vesselness")


def tune(
    baseline: Annotated[Baseline, typer.Argument(metavar="BASELINE", help="frangi.")],
    data: Data,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="JSON file of the chosen settings.")],
    split: Split = None,
    layout: Layout = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    rescale: Rescale = False,
    rescale_from: RescaleFrom = None,
    processes: Annotated[int, typer.Option("--processes", metavar="2", min=1, help="Processes at a time.")] = 2,
) -> None:
    from helpers.evaluation.frangi_tuning import tune as choose_settings  # here, so that --help need not wait
    from helpers.evaluation.frangi_tuning import write_choice

    path = output_file(output, "--output", _SETTINGS)
    dataset = opening(data, layout, ids, id_key, group_by, split, rescale, rescale_from).open()
    result = choose_settings(dataset, split=split, processes=processes)
    write_choice(result, path)
    typer.echo(f"{result.to_text()}\nwritten to {path}")
    words = ["predict", "--model", str(baseline), "--model-config", str(path), "--data", "DATASET", "--output", "RUN"]
    typer.echo(next_text(words))


def import_masks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of PNG, NPZ or NPY files.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Who or what made them, such as nnunet.")],
    data: Data,
    output: Annotated[Path, typer.Option("--output", metavar="RUN", help="Run folder.")],
    values: Annotated[
        Meaning | None,
        typer.Option(
            "--values", metavar="mask|probability|logit", help="What the values are. Else found out, docs/baselines.md."
        ),
    ] = None,
    threshold: Threshold = 0.5,
    split: Split = None,
    layout: Layout = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
) -> None:
    from helpers.prediction.imports.import_run import import_masks as run_import  # here, so that --help need not wait
    from helpers.runs.run_folder import open_run
    from helpers.runs.status import all_failed

    source = input_path(folder, "DIR")
    run = output_folder(output, "--output", data)
    dataset = opening(data, layout, ids, id_key, group_by, split).open()
    summary = run_import(source, name, dataset, run, meaning=values, threshold=threshold)
    typer.echo(summary.to_text())
    if all_failed(row.status for row in open_run(run).rows):
        typer.echo("every case ended in an error: nothing of what was imported can be scored")
        raise typer.Exit(1)
    options = {"layout": layout, "ids": ids, "id_key": id_key, "group_by": group_by, "split": split}
    if not (summary.empty or summary.copies):  # these warnings are the last words
        typer.echo(next_steps(output, data, options, scores=any(case.truth for case in dataset.cases)))
