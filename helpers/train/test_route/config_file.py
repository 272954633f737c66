"""Configs of mmengine from a file and a command line, for the commands that run them."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch.distributed
import typer
from mmengine.config import Config, DictAction
from mmengine.dist import is_distributed
from mmengine.registry import RUNNERS

from helpers.core.errors import UsageProblem, VesselkitError, explain_os_errors
from helpers.core.vocabulary import Launcher
from helpers.train.test_route.mmengine_scope import Runner


def read_config(
    config: Path, example: str, work_dir: Path | None, launcher: Launcher, options: Mapping[str, object] | None
) -> Config:
    """The values of a config.

    Args:
        config: file of the config. It is Python and runs: give only those that you trust.
        example: a config of the kit, for the message.
        work_dir: in place of the config's.
        launcher: what started this process.
        options: other values by dotted name.
    Raises:
        UsageProblem: where there is no such file.
    """
    if not Path(config).is_file():
        raise UsageProblem(f"config: expected a file such as {example}, found none at {config}")
    values = Config.fromfile(str(config))
    values.merge_from_dict(dict(options or {}))
    values.launcher = launcher.value
    if work_dir is not None:
        values.work_dir = str(work_dir)
    return values


def runner_of(values: Config, default: type[Runner]) -> Runner:
    """The Runner that a config asks for, built."""
    kind = RUNNERS.get(values.runner_type) if "runner_type" in values else default
    return kind.from_cfg(values)


def parser_of(module: str, description: str, example: str) -> argparse.ArgumentParser:
    """The arguments that all these commands take."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("config", type=Path, help=f"such as {example}")
    parser.add_argument("--work-dir", type=Path, help="in place of the config's")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="other values")
    parser.add_argument("--launcher", type=Launcher, choices=list(Launcher), default=Launcher.NONE)
    return parser


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the process with an exit code of `vesselkit` where the kit raises; leave the process group at the end."""
    try:
        with explain_os_errors():
            yield
    except VesselkitError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    leave_processes()


def leave_processes() -> None:
    """Leave the group of processes that a launcher started, where this is one of them."""
    if is_distributed():
        torch.distributed.destroy_process_group()


def typed_values(given: Sequence[str]) -> dict[str, object]:
    """Values by dotted name from texts such as `train_cfg.max_iters=10`, typed as mmengine types them.

    Raises:
        UsageProblem: for a text without a name or `=`.
    """
    for text in given:
        if not text.partition("=")[0] or "=" not in text:
            raise UsageProblem(f"--cfg-options: expected KEY=VALUE, got {text!r}")
    parser = argparse.ArgumentParser()
    parser.add_argument("--cfg-options", nargs="*", action=DictAction, default={})
    return parser.parse_args(["--cfg-options", *given] if given else []).cfg_options
