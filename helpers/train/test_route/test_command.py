"""`python -m helpers.train.test_route.test_command CONFIG [CHECKPOINT]`: mmengine's test command, for such configs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from mmengine.dist import is_main_process

from helpers.core.errors import VesselkitError
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Launcher
from helpers.evaluation.leakage.standing import UNKNOWN_TITLE
from helpers.evaluation.markdown import stands_beside
from helpers.evaluation.sealed_looks import look_text
from helpers.metrics.definitions import BY_METRIC, HEADLINE
from helpers.train.test_route.config_file import exit_codes, parser_of, read_config, runner_of
from helpers.train.test_route.mmengine_scope import Runner

EXAMPLE = "helpers/train/configs/evaluate_sa2va.py"


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
    values = read_config(config, EXAMPLE, work_dir, launcher, options)
    if checkpoint is not None:
        values.load_from = str(checkpoint)
    return runner_of(values, Runner).test()


def metrics_text(metrics: Mapping[str, float]) -> str:
    """Whose scores these are, the look at sealed patients, the headline with intervals, pooled numbers, counts."""
    lines = [f"{UNKNOWN_TITLE}: `vesselkit evaluate` tells patients that training saw"]
    if (looks := metrics.get("vessel/n_looks")) is not None:
        lines.append(look_text({"number": int(looks), "again": bool(metrics.get("vessel/look_again"))}))
    for name in (*HEADLINE, "ciou", "giou"):
        if (value := metrics.get(f"vessel/{name}")) is not None:
            ends = [metrics.get(f"vessel/{name}_{end}") for end in ("low", "high")]
            interval = "" if None in ends else f" [{ends[0]:.3f}, {ends[1]:.3f}]"
            title = BY_METRIC[name].title if name in BY_METRIC else {"ciou": "cIoU", "giou": "gIoU"}[name]
            noted = {key: metrics.get(f"vessel/{name}_{key}") for key in ("median", "n_infinite")}
            notes = stands_beside({"metric": name, "n_cases": metrics.get("vessel/n_cases", 0), **noted})
            lines.append(f"{title}: {value:.3f}{interval}" + (f" ({', '.join(notes)})" if notes else ""))
    counts = {name: metrics.get(f"vessel/n_{name}", 0) for name in ("cases", "failed")}
    return "\n".join([*lines, f"{counted(int(counts['cases']), 'case')}, {int(counts['failed'])} of them failed"])


def require_predicted(metrics: Mapping[str, float]) -> None:
    """Refuse to call a test done of which every case ended in an error.

    Args:
        metrics: of `run_test`.
    Raises:
        VesselkitError: where no case was predicted.
    """
    errors = metrics.get("vessel/n_errors", 0)
    if errors and errors == metrics.get("vessel/n_cases"):
        raise VesselkitError(
            f"every one of {errors:.0f} cases ended in an error, so that nothing was predicted. The log names the first"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with the exit codes of `vesselkit`."""
    parser = parser_of("helpers.train.test_route.test_command", "Test Sa2VA with mmengine.", EXAMPLE)
    parser.add_argument("checkpoint", type=Path, nargs="?", help="in place of the config's load_from")
    given = parser.parse_args(arguments)
    with exit_codes():
        metrics = run_test(
            given.config,
            given.checkpoint,
            work_dir=given.work_dir,
            launcher=given.launcher,
            options=given.cfg_options,
        )
        if is_main_process():
            typer.echo(metrics_text(metrics))
            require_predicted(metrics)


if __name__ == "__main__":
    main()
