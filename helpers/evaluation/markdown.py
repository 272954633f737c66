"""Words and numbers of a report in Markdown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from helpers.evaluation.intervals import FEWEST_UNITS

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#!&])")


def escaped(text: object) -> str:
    """Text from data, on one line, that Markdown and HTML show as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def written_mean(row: Mapping[str, Any]) -> str:
    """A mean with its interval and what it leaves open, `0.781 [0.752, 0.809] (2 undefined)`; empty where unknown.

    Args:
        row: of a summary: mean, low, high (None where unknown), few, unit, and where it has them n_undefined and
            n_infinite, numbers of cases.
    """
    if row["mean"] is None:
        return ""
    interval = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    counted = (("n_undefined", "undefined"), ("n_infinite", "capped"))
    notes = [f"{row[name]} {word}" for name, word in counted if row.get(name)]
    notes += [f"fewer than {FEWEST_UNITS} {row['unit']}s"] if row["few"] else []
    return f"{row['mean']:.3f}{interval}" + (f" ({', '.join(notes)})" if notes else "")


def p_text(value: float | None) -> str:
    """A p-value; empty where there is none."""
    return "" if value is None else f"{value:.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts that are `escaped` where they come from data."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
