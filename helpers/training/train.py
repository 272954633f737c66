"""`python -m helpers.training.train CONFIG`: train by a config of mmengine."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from mmengine.dist import barrier, is_main_process

from helpers.inference.shards import Launcher
from helpers.runner.config_file import exit_codes, parser_of, read_config, runner_of
from helpers.training.runner import TrainingRunner

EXAMPLE = "helpers/configs/train_sa2va.py"


def run_training(
    config: Path,
    *,
    work_dir: Path | None = None,
    resume: bool = False,
    launcher: Launcher = Launcher.NONE,
    options: Mapping[str, object] | None = None,
) -> Path:
    """Train by a config.

    Args:
        config: file of the config. It is Python and runs: give only those that you trust.
        work_dir: in place of the config's.
        resume: go on from the last checkpoint in the work folder, where there is one.
        launcher: what started this process.
        options: other values by dotted name.
    Returns:
        The last checkpoint.
    Raises:
        UsageProblem, RefusedInput, VesselkitError: as the parts that the config names.
    """
    values = read_config(config, EXAMPLE, work_dir, launcher, options)
    pointer = Path(values.work_dir) / "last_checkpoint"
    # mmengine fails where it is to resume and there is nothing to resume from.
    wanted = resume or bool(values.get("resume"))
    values.resume = wanted and (values.get("load_from") is not None or pointer.is_file())
    runner_of(values, TrainingRunner).train()
    barrier()  # the first process writes the last checkpoint
    return pointer.with_name(Path(pointer.read_text(encoding="utf-8")).name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with the exit codes of `vesselkit`."""
    parser = parser_of("helpers.training.train", "Train Sa2VA with mmengine.", EXAMPLE)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint of the work folder")
    given = parser.parse_args(arguments)
    with exit_codes():
        last = run_training(
            given.config,
            work_dir=given.work_dir,
            resume=given.resume,
            launcher=given.launcher,
            options=given.cfg_options,
        )
        if is_main_process():
            typer.echo(f"{last}\nnext: vesselkit convert --checkpoint {last} ...")


if __name__ == "__main__":
    main()
