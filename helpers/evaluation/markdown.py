"""Words and numbers of a report in Markdown."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from helpers.core.shown_text import counted
from helpers.metrics.definitions import BY_METRIC, DISTANCES
from helpers.metrics.intervals import FEWEST_FOR_INTERVAL, FEWEST_UNITS, Method

_SPECIAL = re.compile(r"([\\`*{}\[\]<>|#!&]|(?<![^\W_])_|_(?![^\W_]))")  # an underscore within a word is plain


EQUAL_UNITS = "all units equal"
"""Why a mean has no interval though there are units enough."""


def escaped(text: object) -> str:
    """Text from data, on one line, that Markdown and HTML show as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def written_mean(row: Mapping[str, Any], sign: str = "") -> str:
    """A mean with its interval and what it leaves open, `0.781 [0.752, 0.809] (2 undefined)`; empty where unknown.

    With too few units for an interval, each unit's mean stands in its place: `0.781 (P001 0.700, P002 0.862)`.

    Args:
        row: of a summary, an object of its JSON or a row of the table: mean, low, high (None or NaN where unknown),
            few, unit, and what `stands_beside` looks at.
        sign: "+" for differences, so that a gain is told from a mean.
    """
    if is_unknown(row["mean"]):
        return ""
    interval = "" if is_unknown(row["low"]) else f" [{row['low']:{sign}.3f}, {row['high']:{sign}.3f}]"
    each = ", ".join(f"{unit} {value:{sign}.3f}" for unit, value in each_unit(row).items())
    interval += f" ({each})" if each else ""
    notes = [*stands_beside(row), *([f"fewer than {FEWEST_UNITS} {row['unit']}s"] if row["few"] else [])]
    return f"{row['mean']:{sign}.3f}{interval}" + (f" ({', '.join(notes)})" if notes else "")


def each_unit(row: Mapping[str, Any]) -> Mapping[str, float]:
    """Unit -> its mean, of a row of a summary with too few units for an interval; empty for all others."""
    found = row.get("unit_means")
    return found if isinstance(found, Mapping) else {}


def interval_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """How the intervals of rows were made: `Student's t, logit scale; of HD95: Student's t, log scale`.

    Args:
        rows: of a summary, objects of its JSON or rows of a table; those of earlier versions are percentiles of draws.
    """
    titles: dict[str, list[str]] = {}
    for row in rows:
        if not is_unknown(row["low"]):
            metric = str(row["metric"])
            title = BY_METRIC[metric].title if metric in BY_METRIC else metric
            titles.setdefault(str(row.get("interval") or Method.PERCENTILE), []).append(title)
    first, *others = titles or {"none": []}
    return "; ".join([first, *(f"of {', '.join(dict.fromkeys(titles[name]))}: {name}" for name in others)])


def missing_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many of the means of rows rest on too few units for an interval; empty for earlier versions."""
    known = [row for row in rows if "unit_means" in row and not is_unknown(row["mean"])]
    lacking = sum(bool(each_unit(row)) for row in known)
    if not lacking:
        return ""
    return (
        f"{lacking} of {len(known)} means have no interval: they rest on fewer than {FEWEST_FOR_INTERVAL} "
        f"{known[0]['unit']}s, whose own means are shown"
    )


def stands_beside(row: Mapping[str, Any]) -> list[str]:
    """What a mean is not to be read without: equal units, a distance's median, undefined cases, cases at the cap.

    Args:
        row: of a summary, an object of its JSON or a row of the table: metric, and where it has them interval, median,
            n_undefined, n_infinite and n_cases.
    """
    median, notes = row.get("median"), [EQUAL_UNITS] if row.get("interval") == Method.EQUAL else []
    if row.get("metric") in DISTANCES and not is_unknown(median):
        notes.append(f"median {median:.3f}")
    if row.get("n_undefined"):
        notes.append(f"{int(row['n_undefined'])} undefined")
    if row.get("n_infinite"):
        notes.append(f"{int(row['n_infinite'])} of {int(row['n_cases'])} cases at the cap")
    return notes


def written_side(row: Mapping[str, Any], side: str) -> str:
    """One run's mean in a comparison, and what it leaves open: `12.300 (median 4.100, 2 of 40 cases at the cap)`.

    Args:
        row: of a comparison, an object of its JSON or a row of the table.
        side: `first` or `second`.
    """
    beside = {key: row.get(f"{side}_{key}") for key in ("median", "n_infinite")}
    if is_unknown(beside["n_infinite"]):
        beside["n_infinite"] = None
    notes = stands_beside({"metric": row["metric"], "n_cases": row["n_cases"], **beside})
    return f"{row[side]:.3f}" + (f" ({', '.join(notes)})" if notes else "")


def count_text(row: Mapping[str, Any]) -> str:
    """What a mean rests on: `96 cases, 24 sequences, patients unknown`.

    Args:
        row: with n_cases, n_sequences and n_patients, the last two None where they are unknown.
    """
    parts = [counted(row["n_cases"], "case")]
    for name in ("sequence", "patient"):
        number = row[f"n_{name}s"]
        parts.append(f"{name}s unknown" if number is None else counted(number, name))
    return ", ".join(parts)


def p_text(value: float | None) -> str:
    """A p-value in three digits, in `summary.md` and in notebooks; empty where there is none (None or NaN)."""
    return "" if is_unknown(value) else f"{value:.3g}"


def is_unknown(value: float | None) -> bool:
    """Whether a number is missing: None in JSON, NaN in tables."""
    return value is None or math.isnan(value)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts that are `escaped` where they come from data."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
