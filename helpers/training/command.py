"""`python -m helpers.training.command CONFIG`: train by a config of mmengine."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch.distributed
import typer
from mmengine.config import Config, DictAction
from mmengine.dist import is_distributed
from mmengine.registry import RUNNERS

from helpers.errors import UsageProblem, VesselkitError
from helpers.inference.shards import Launcher
from helpers.training.runner import TrainingRunner


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
    if not Path(config).is_file():
        raise UsageProblem(f"config: expected a file such as helpers/configs/train_sa2va.py, found none at {config}")
    values = Config.fromfile(str(config))
    values.merge_from_dict(dict(options or {}))
    values.launcher = launcher.value
    values.resume = bool(values.get("resume")) or resume
    if work_dir is not None:
        values.work_dir = str(work_dir)
    folder = Path(values.work_dir)
    if values.resume and values.get("load_from") is None and not (folder / "last_checkpoint").is_file():
        values.resume = False
    kind = RUNNERS.get(values.runner_type) if "runner_type" in values else TrainingRunner
    kind.from_cfg(values).train()
    return folder / Path((folder / "last_checkpoint").read_text(encoding="utf-8")).name


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with the exit codes of `vesselkit`."""
    parser = argparse.ArgumentParser(prog="python -m helpers.training.command", description="Train Sa2VA by mmengine.")
    parser.add_argument("config", type=Path, help="such as helpers/configs/train_sa2va.py")
    parser.add_argument("--work-dir", type=Path, help="in place of the config's")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint of the work folder")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="other values")
    parser.add_argument("--launcher", type=Launcher, choices=list(Launcher), default=Launcher.NONE)
    given = parser.parse_args(arguments)
    try:
        last = run_training(
            given.config,
            work_dir=given.work_dir,
            resume=given.resume,
            launcher=given.launcher,
            options=given.cfg_options,
        )
    except VesselkitError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    typer.echo(f"{last}\nnext: vesselkit convert --checkpoint {last} ...")
    if is_distributed():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
