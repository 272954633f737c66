"""The commands that commands name at their end, as they can be pasted."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def next_text(words: Sequence[str]) -> str:
    """`next: vesselkit ...`; what a shell would take apart is quoted."""
    return f"next: {shlex.join(['vesselkit', *words])}"


def option_words(options: Mapping[str, Any]) -> list[str]:
    """Options as they are typed.

    Args:
        options: by name, with `_` or `-`; None and False were not given, True has no value, of a list each item is
            given by itself.
    """
    words = []
    for name, value in options.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if one is not None and one is not False:
                words += [f"--{name.replace('_', '-')}", *([] if one is True else [str(one)])]
    return words


def data_words(data: Path, options: Mapping[str, Any]) -> list[str]:
    """How the data set was opened, as options.

    Args:
        options: fields of `Opening`, as for `option_words`.
    """
    return ["--data", str(data), *option_words(options)]


def next_steps(run: Path, data: Path, options: Mapping[str, Any], *, scores: bool) -> str:
    """The commands that go on from a finished run.

    Args:
        options: as for `data_words`.
        scores: whether there is ground truth.
    """
    shared = [*data_words(data, options), "--output"]
    look = next_text(["visualize", str(run), *shared, f"{run}-pictures"])
    score = next_text(["evaluate", "--predictions", str(run), *shared, f"{run}-scores"])
    return f"{look}\n{score}" if scores else look
