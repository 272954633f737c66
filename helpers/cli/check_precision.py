"""`vesselkit check-precision`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, json_with, output_file
from helpers.cli.data_set import Data, GroupBy, IdKey, IdsOption, Layout, Split, opening
from helpers.cli.predictors import Device
from helpers.core.atomic import write_json_atomic
from helpers.core.errors import UsageProblem

_REPORT = json_with("what this command found earlier", "device", "frames", "results", "ok")


def check_precision(
    model: Annotated[Path, typer.Option("--model", metavar="DIR", help="Folder that `convert` wrote.")],
    data: Data,
    count: Annotated[int, typer.Option("--n", metavar="N", help="Frames to check with, the first ones.")] = 8,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", metavar="TEXT", help="Else 'Please segment the blood vessels.'"),
    ] = None,
    device: Device = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="JSON file of all that was found.")
    ] = None,
    layout: Layout = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    split: Split = None,
) -> None:
    from helpers.prediction.engine.model_loading import (  # here, so that --help need not wait
        check_folder,
        choose_device,
    )
    from helpers.prediction.precision import check_precision as check
    from helpers.prediction.predictor import DEFAULT_PROMPT, check_prompt

    if count < 1:
        raise UsageProblem(f"--n: expected at least 1, got {count}")
    written = None if output is None else output_file(output, "--output", _REPORT)
    asked = DEFAULT_PROMPT if prompt is None else prompt
    check_prompt(asked)
    folder = input_path(model, "--model")
    choose_device(device)
    check_folder(folder)
    frames = opening(data, layout, ids, id_key, group_by, split).open().frames[:count]
    found = check(folder, frames, asked, device)
    if written is not None:
        written.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomic(written, found.to_dict())
    typer.echo(found.to_text())
    if not found.ok:
        raise typer.Exit(1)
