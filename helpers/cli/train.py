"""`vesselkit train`, and `vesselkit dev train-demo`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, output_folder, typed_path
from helpers.cli.options import LauncherOption, Processes, Seed
from helpers.core.vocabulary import Launcher


def train(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="Config of mmengine. It is Python code and is executed: use only configs that you trust.",
        ),
    ],
    work_dir: Annotated[
        Path | None, typer.Option("--work-dir", metavar="DIR", help="Folder to train in; overrides the config's.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint in the work folder, if there is one.")
    ] = False,
    launcher: LauncherOption = Launcher.NONE,
    cfg_options: Annotated[
        list[str] | None,
        typer.Option("--cfg-options", metavar="KEY=VALUE", help="Set a value of the config. May be given again."),
    ] = None,
) -> None:
    """Fine-tune Sa2VA with mmengine."""
    file = input_path(config, "CONFIG")
    folder = None if work_dir is None else typed_path(work_dir)

    from mmengine.dist import is_main_process  # here, so that --help need not wait

    from helpers.train.fine_tuning.fine_tune import run_training
    from helpers.train.test_route.config_file import leave_processes, typed_values

    values = typed_values(cfg_options or ())
    last = run_training(file, work_dir=folder, resume=resume, launcher=launcher, options=values)
    if is_main_process():
        typer.echo(f"{last}\nnext: vesselkit convert --checkpoint {last} ...")
    leave_processes()


def train_demo(
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder to train in; an interrupted training is resumed.")
    ],
    seed: Seed = 0,
    workers: Annotated[
        int, typer.Option("--workers", metavar="4", min=1, help="Processes that draw and load frames.")
    ] = 4,
    processes: Processes = 1,
) -> None:
    """Train the demo's model again from its recorded recipe."""
    folder = output_folder(output, "--output")

    from helpers.dev.demo.recipe import TrainingRecipe, train_demo  # here, so that --help need not wait

    typer.echo(
        "draws frames, then trains: about half an hour on two H100, weeks without a GPU. Repeat the command to resume"
    )
    files = train_demo(folder, TrainingRecipe(seed=seed), workers, processes)
    typer.echo(f"written to {files.folder}\nnext: vesselkit pipeline --checkpoint {files.checkpoint} ...")
