"""Commands about this machine."""

import json
from typing import Annotated

import typer


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    from helpers.doctor import examine  # here, so that --help need not wait for torch

    report = examine()
    typer.echo(json.dumps(report.to_dict(), indent=1) if as_json else report.to_text())
    if not report.ok:
        raise typer.Exit(1)
