"""`python -m helpers.runner.test CONFIG [CHECKPOINT]`: mmengine's test command, for the kit's configs."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch.distributed
import typer
from mmengine.config import Config, DictAction
from mmengine.dist import is_distributed, is_main_process
from mmengine.registry import RUNNERS

from helpers.errors import UsageProblem, VesselkitError
from helpers.evaluation.definitions import BY_METRIC, HEADLINE
from helpers.inference.shards import Launcher
from helpers.runner.runner import Runner


def run_test(
    config: Path,
    checkpoint: Path | None = None,
    *,
    work_dir: Path | None = None,
    launcher: Launcher = Launcher.NONE,
    options: Mapping[str, object] | None = None,
) -> dict[str, float]:
    """Build the Runner of a config and test.

    Args:
        config: file of the config. It is Python and runs: give only those that you trust.
        checkpoint: in place of the config's `load_from`.
        work_dir: in place of the config's.
        launcher: what started this process.
        options: other values by dotted name.
    Returns:
        The metrics by name.
    Raises:
        UsageProblem, RefusedInput, VesselkitError: as the parts that the config names.
    """
    if not Path(config).is_file():
        raise UsageProblem(f"config: expected a file such as helpers/configs/evaluate_sa2va.py, found none at {config}")
    values = Config.fromfile(str(config))
    values.merge_from_dict(dict(options or {}))
    values.launcher = launcher.value
    if checkpoint is not None:
        values.load_from = str(checkpoint)
    if work_dir is not None:
        values.work_dir = str(work_dir)
    kind = RUNNERS.get(values.runner_type) if "runner_type" in values else Runner
    return kind.from_cfg(values).test()


def metrics_text(metrics: Mapping[str, float]) -> str:
    """The headline with intervals, pooled numbers and counts, one a line."""
    lines = []
    for name in (*HEADLINE, "ciou", "giou"):
        if (value := metrics.get(f"vessel/{name}")) is not None:
            ends = [metrics.get(f"vessel/{name}_{end}") for end in ("low", "high")]
            interval = "" if None in ends else f" [{ends[0]:.3f}, {ends[1]:.3f}]"
            title = BY_METRIC[name].title if name in BY_METRIC else {"ciou": "cIoU", "giou": "gIoU"}[name]
            lines.append(f"{title}: {value:.3f}{interval}")
    counts = {name: metrics.get(f"vessel/n_{name}", 0) for name in ("cases", "failed")}
    return "\n".join([*lines, f"{counts['cases']:.0f} cases, {counts['failed']:.0f} of them failed"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with the exit codes of `vesselkit`."""
    parser = argparse.ArgumentParser(prog="python -m helpers.runner.test", description="Test Sa2VA with mmengine.")
    parser.add_argument("config", type=Path, help="such as helpers/configs/evaluate_sa2va.py")
    parser.add_argument("checkpoint", type=Path, nargs="?", help="in place of the config's load_from")
    parser.add_argument("--work-dir", type=Path, help="in place of the config's")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="other values")
    parser.add_argument("--launcher", type=Launcher, choices=list(Launcher), default=Launcher.NONE)
    given = parser.parse_args(arguments)
    try:
        metrics = run_test(
            given.config,
            given.checkpoint,
            work_dir=given.work_dir,
            launcher=given.launcher,
            options=given.cfg_options,
        )
    except VesselkitError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    if is_main_process():
        typer.echo(metrics_text(metrics))
    if is_distributed():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
