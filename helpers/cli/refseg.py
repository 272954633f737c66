"""Referring segmentation, scored in the RefCOCO way."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, output_folder
from helpers.cli.data_set import GroupBy, IdKey, IdsOption, Rescale, RescaleFrom, Split, opening
from helpers.cli.predictors import Device, Dtype, Running, TokenLimit, exported
from helpers.core.errors import UsageProblem


def refseg(
    model_path: Annotated[Path, typer.Option("--model_path", metavar="DIR", help="Folder that `convert` wrote.")],
    data_path: Annotated[
        Path,
        typer.Option(
            "--data_path", metavar="DATASET", help="refs.json with instances.json, or Sa2VA JSON; its folder."
        ),
    ],
    output_dir: Annotated[
        Path, typer.Option("--output_dir", metavar="DIR", help="Folder to write; one that was stopped goes on.")
    ],
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", metavar="TEXT", help="With {expression}. Else 'Please segment {expression} in ...'."),
    ] = None,
    split: Split = None,
    layout: Annotated[
        str | None, typer.Option("--layout", metavar="NAME", help="refcoco or sa2va. Else found out.")
    ] = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    rescale: Rescale = False,
    rescale_from: RescaleFrom = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    max_new_tokens: TokenLimit = 64,
) -> None:
    if prompt is not None and "{expression}" not in prompt:
        raise UsageProblem(f"--prompt: expected a text with {{expression}} in it, got {prompt!r}")

    from helpers.prediction.predictor import check_prompt

    if prompt is not None:
        check_prompt(prompt)
    folder = input_path(model_path, "--model_path")
    output = output_folder(output_dir, "--output_dir", data_path)

    from helpers.evaluation.refcoco.refcoco_run import refseg as run_refseg

    options = (layout, ids, id_key, group_by, split, rescale, rescale_from)
    dataset = opening(data_path, *options, option="--data_path").open()
    identity, open_predictor = exported(folder, Running(device, dtype, max_new_tokens))
    typer.echo(run_refseg(dataset, identity, open_predictor, output, prompt))
    typer.echo(f"written to {output}")
