"""`vesselkit grid`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path
from helpers.core.errors import Stopped
from helpers.core.vocabulary import GridLauncher


def grid(
    file: Annotated[Path, typer.Argument(metavar="GRID", help="A grid.yaml; see docs/grid-file.md.")],
    launcher: Annotated[
        GridLauncher,
        typer.Option(
            "--launcher", metavar="local|slurm", help="slurm: submit the jobs as one SLURM array, and return."
        ),
    ] = GridLauncher.LOCAL,
) -> None:
    """Run notebooks over a grid of models, prompts and data sets."""
    from helpers.notebook.grid import run_grid  # here, so that --help need not wait
    from helpers.notebook.grid_array import submit_array
    from helpers.notebook.grid_file import read_grid
    from helpers.notebook.grid_index import JobStatus

    grid = read_grid(input_path(file, "GRID"))
    run = submit_array if launcher is GridLauncher.SLURM else run_grid
    try:
        states = run(grid, told=lambda line: typer.echo(line, err=True))
    except KeyboardInterrupt:
        raise Stopped(
            f"stopped; what is finished is kept, and the same command resumes from there ({grid.folder})"
        ) from None
    counts = {status: sum(state.status is status for state in states.values()) for status in JobStatus}
    typer.echo(", ".join(f"{count} {status}" for status, count in counts.items() if count))
    typer.echo(f"index: {grid.folder / 'index.html'}")
    if counts[JobStatus.FAILED]:
        raise typer.Exit(1)
