"""`vesselkit refseg`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, option_name, output_folder
from helpers.cli.options import AS_FOUND, DataOptions, Device, Dtype, ModelFolder, TokenLimit, with_data_options
from helpers.core.errors import UsageProblem

_Layout = Annotated[str | None, typer.Option("--layout", metavar="NAME", help="refcoco or sa2va. Default: detected.")]


@with_data_options(layout=_Layout)
def refseg(
    model: ModelFolder,
    data: Annotated[
        Path,
        typer.Option("--data", metavar="DATASET", help="refs.json with instances.json, or Sa2VA JSON; or its folder."),
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder to write; an interrupted run is resumed.")
    ],
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt", metavar="TEXT", help="With {expression}. Default: 'Please segment {expression} in ...'."
        ),
    ] = None,
    options: DataOptions = AS_FOUND,
    device: Device = "auto",
    dtype: Dtype = "auto",
    max_new_tokens: TokenLimit = 64,
) -> None:
    """Score referring segmentation as RefCOCO does."""
    if prompt is not None and "{expression}" not in prompt:
        raise UsageProblem(f"--prompt: expected a text with {{expression}} in it, got {prompt!r}")

    from helpers.prediction.predictor import check_prompt

    if prompt is not None:
        check_prompt(prompt)
    folder = input_path(model, "--model")
    written = output_folder(output, "--output", data)

    from helpers.checkpoints.convert.conversion_record import check_of
    from helpers.prediction.model_choice import ModelChoice
    from helpers.stages.refseg_stage import refseg as run_refseg

    opening = options.opening(data)
    choice = ModelChoice(folder, device=device, dtype=dtype, max_new_tokens=max_new_tokens)
    opened = choice.open(option_name)
    dataset = opening.open()
    identity = dict(opened.identity or {})  # known, since a model folder is given
    check = check_of(folder, identity)
    typer.echo(run_refseg(dataset, identity, opened.load, written, prompt, official_check=check))
    typer.echo(f"written to {written}")
