"""`vesselkit import-masks`, which is `vesselkit import --into run` for files of masks. No help shows it."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, output_folder
from helpers.cli.import_files import tell
from helpers.cli.options import AS_FOUND, FRAMES_ONLY, Data, DataOptions, Threshold, with_data_options
from helpers.core.vocabulary import Meaning


@with_data_options(without=FRAMES_ONLY)
def import_masks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of PNG, NPZ or NPY files.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Who or what made the masks, such as nnunet.")],
    data: Data,
    output: Annotated[Path, typer.Option("--output", metavar="RUN", help="Run folder.")],
    values: Annotated[
        Meaning | None,
        typer.Option(
            "--values",
            metavar="|".join(Meaning),
            help="Meaning of the values. Default: detected, see docs/baselines.md.",
        ),
    ] = None,
    threshold: Threshold = 0.5,
    options: DataOptions = AS_FOUND,
) -> None:
    """Turn a folder of other tools' masks into a run folder."""
    from helpers.prediction.imports.import_run import import_masks as run_import  # here, so that --help need not wait

    source = input_path(folder, "DIR")
    run = output_folder(output, "--output", data)
    dataset = options.opening(data).open()
    summary = run_import(source, name, dataset, run, meaning=values, threshold=threshold)
    tell(summary, run, output, data, options, scores=any(case.truth for case in dataset.cases))
