"""Commands about checkpoints."""

import json
from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path

CheckpointPath = Annotated[
    Path, typer.Argument(metavar="CKPT", help="Checkpoint file, model folder or training folder.")
]


def inspect(
    ckpt: CheckpointPath,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with everything that was found.")] = False,
) -> None:
    from helpers.checkpoint.inspection import inspect_checkpoint  # here, so that --help need not wait for torch

    found = inspect_checkpoint(input_path(ckpt, "CKPT"), progress=True)
    typer.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False) if as_json else found.to_text())
