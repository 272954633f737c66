"""`vesselkit init`: a folder to work in."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import output_folder


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder, or a project whose notebooks to update.")],
) -> None:
    """Set up a project folder: copies of the notebooks, and a place for results."""
    from helpers.notebook.project_folder import lay_out  # here, since it takes pydantic with it

    made = lay_out(output_folder(folder, "DIR"))
    typer.echo(f"project: {made.folder}")
    for one in made.notebooks:
        typer.echo(f"  notebooks/{one.path.name}: {one.state}")
    typer.echo("  outputs/: results")
    typer.echo(f"next: cd {made.folder} && jupyter lab notebooks")
