"""Command lines of version 0.1 in other words than today: they do what they did, or are refused with the new line."""

import shlex
from collections.abc import Sequence

import typer

from helpers.core.errors import UsageProblem

RENAMED = {
    "bench": ("dev", "bench"),
    "report": ("review-page",),
    "run": ("grid",),
    "synth": ("dev", "synth"),
    "who": ("data", "who"),
}
# `train` trained the demo's model, and took these alone.
_OF_THE_DEMO = ("--output", "--seed", "--workers", "--processes")


def today(words: Sequence[str]) -> list[str]:
    """The words of a command line as they are today. An old command's name is told on the error stream.

    Args:
        words: what follows `vesselkit` and its own options.
    Raises:
        UsageProblem: for `train` as it was, naming the new line.
    """
    first, *rest = words
    if first == "train" and any(word.split("=")[0] in _OF_THE_DEMO for word in rest):
        raise UsageProblem(
            "train: expected CONFIG, the config of a training, got options of the demo's training, which is now: "
            f"{_line('dev', 'train-demo', *rest)}"
        )
    if first not in RENAMED:
        return [first, *rest]
    new = [*RENAMED[first], *rest]
    typer.echo(f"warning: `vesselkit {first}` is now: {_line(*new)}", err=True)
    return new


def _line(*words: str) -> str:
    return shlex.join(["vesselkit", *words])
