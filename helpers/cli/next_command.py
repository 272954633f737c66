"""The commands that commands name at their end, as they can be pasted."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def next_text(words: Sequence[str]) -> str:
    """`next: vesselkit ...`; what a shell would take apart is quoted."""
    return f"next: {shlex.join(['vesselkit', *words])}"


def data_words(data: Path, options: Mapping[str, Any]) -> list[str]:
    """How the data set was opened, as options.

    Args:
        options: fields of `Opening`; None for those that were not given.
    """
    given = [(name.replace("_", "-"), str(value)) for name, value in options.items() if value is not None]
    return ["--data", str(data), *(text for name, value in given for text in (f"--{name}", value))]
