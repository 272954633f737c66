"""`python -m helpers.train.fine_tuning.fine_tune CONFIG`: train by a config of mmengine."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import typer
from mmengine.dist import barrier, is_main_process

from helpers.core.atomic import require_writable
from helpers.core.errors import VesselkitError, exit_as_interrupted
from helpers.core.processes import only_process
from helpers.core.vocabulary import Launcher
from helpers.prediction.work_shards import launched
from helpers.train.fine_tuning.training_runner import (
    PARTIAL_SUFFIX,
    TrainingRunner,
    explain_ending,
    last_checkpoint,
    refuse_earlier,
)
from helpers.train.test_route.config_file import exit_codes, parser_of, read_config, runner_of

EXAMPLE = "helpers/train/configs/train_sa2va.py"


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
        UsageProblem, RefusedInput, VesselkitError: as the parts that the config names; where another process trains in
            the work folder, it cannot be written, or it holds an earlier training and is not resumed;
            and as `explain_ending`.
        Stopped: by an interrupt.
    """
    values = read_config(config, EXAMPLE, work_dir, launcher, options)
    folder = Path(values.work_dir)
    require_writable(folder / "checkpoint")
    wanted = resume or bool(values.get("resume"))
    process = None if launcher is Launcher.NONE else launched(launcher)
    leads = process is None or process.rank == 0
    with only_process(folder, "trains") if leads else nullcontext(), explain_ending(folder):
        if leads:
            for left in folder.glob(f"*{PARTIAL_SUFFIX}"):
                left.unlink()
        if not wanted:
            refuse_earlier(folder)
        elif values.get("load_from") is None:
            last = last_checkpoint(folder)
            values.load_from = None if last is None else str(last)
        # mmengine fails where it is to resume and there is nothing to resume from.
        values.resume = wanted and values.load_from is not None
        runner_of(values, TrainingRunner).train()
        barrier()  # the first process writes the last checkpoint
    finished = last_checkpoint(folder)
    if finished is None:
        raise VesselkitError(f"{folder}: expected the last checkpoint of the training, found none. Run it again")
    return finished


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with the exit codes of `vesselkit`."""
    parser = parser_of("helpers.train.fine_tuning.fine_tune", "Train Sa2VA with mmengine.", EXAMPLE)
    parser.add_argument("--resume", action="store_true", help="resume from the last checkpoint in the work folder")
    given = parser.parse_args(arguments)
    with exit_codes(), exit_as_interrupted():
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
