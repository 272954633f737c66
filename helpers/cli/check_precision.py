"""`vesselkit check-precision`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, json_with, output_file
from helpers.cli.options import AS_FOUND, FRAMES_ONLY, Data, DataOptions, Device, ModelFolder, with_data_options
from helpers.core.atomic import write_json_atomic
from helpers.core.errors import UsageProblem

_REPORT = json_with("what this command found earlier", "device", "frames", "results", "ok")


@with_data_options(without=FRAMES_ONLY)
def check_precision(
    model: ModelFolder,
    data: Data,
    count: Annotated[int, typer.Option("--n", metavar="N", help="Number of frames.")] = 8,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", metavar="TEXT", help="Default: 'Please segment the blood vessels.'"),
    ] = None,
    device: Device = "auto",
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="JSON file for all results.")] = None,
    options: DataOptions = AS_FOUND,
) -> None:
    """Compare reduced precision with full precision on your model and images."""
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
    frames = options.opening(data).open().frames[:count]
    found = check(folder, frames, asked, device)
    if written is not None:
        written.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomic(written, found.to_dict())
    typer.echo(found.to_text())
    if not found.ok:
        raise typer.Exit(1)
