"""`vesselkit dev synth`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import next_text, output_folder
from helpers.cli.options import Processes, Seed
from helpers.core.vocabulary import SynthGenerator, SynthLayout


def synth(
    patients: Annotated[int, typer.Option("--patients", metavar="N", min=1, max=999, help="Number of patients.")],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="New folder of the data set.")],
    seed: Seed = 0,
    frames: Annotated[int, typer.Option("--frames", metavar="8", min=1, max=999, help="Frames in each sequence.")] = 8,
    sequences: Annotated[
        int, typer.Option("--sequences-each", metavar="2", min=1, max=99, help="Sequences of each patient.")
    ] = 2,
    layout: Annotated[
        SynthLayout, typer.Option("--layout", metavar="|".join(SynthLayout), help="See docs/datasets.md.")
    ] = SynthLayout.PAIRED,
    size: Annotated[
        int, typer.Option("--size", metavar="512", min=64, max=2048, help="Side of the frames, in pixels.")
    ] = 512,
    generator: Annotated[
        SynthGenerator,
        typer.Option("--generator", metavar="|".join(SynthGenerator), help="Generator, see docs/synthesis.md."),
    ] = SynthGenerator.FIRST,
    processes: Processes = 2,
) -> None:
    """Draw synthetic angiograms with exact masks."""
    from helpers.dev.synthesis.data_set_writing import Recipe, write_dataset  # here, so that --help need not wait

    folder = output_folder(output, "--output")
    recipe = Recipe(patients, sequences, frames, seed, size, generator=generator)
    record = write_dataset(recipe, layout, folder, processes)
    counts = ", ".join(f"{count} {split}" for split, count in record["frames"].items())
    typer.echo(f"synthetic frames: {counts}")
    for trait, share in record["shares_of_frames"].items():
        typer.echo(f"{trait.replace('_', ' ')}: {100 * share:.1f} % of frames")
    typer.echo(f"written to {folder}")
    typer.echo(next_text(["data", "check", str(folder)]))
