"""The words and tables of what a model's own guesses were worth, for `summary.md` and for notebooks."""

from collections.abc import Mapping, Sequence
from typing import Any

from helpers.core.shown_text import counted
from helpers.evaluation.markdown import escaped, table
from helpers.evaluation.own_guess import FEWEST_CASES
from helpers.metrics.intervals import FEWEST_UNITS
from helpers.runs.result_rows import listed

TITLE = "The model's own guess"
SIGNAL_TITLES = {
    "ensemble": "disagreement of the ensemble",
    "map": "Dice that the map expects",
    "predicted_iou": "SAM2's predicted IoU",
    "object_score": "SAM2's object score",
}
_MAP_TITLES = {"spread": "spread of the ensemble", "map": "p (1 - p) of the map"}


def guess_head(record: Mapping[str, Any]) -> list[str]:
    """The head of `guess_rows`, with the shares that were judged."""
    worst, first = (f"{record[name]:.0%}".replace("%", " %") for name in ("worst", "first"))
    return ["order", f"of the worst {worst}, found in the first {first}", "AURC", "silent failures"]


def guess_rows(record: Mapping[str, Any]) -> list[list[str]]:
    """Each order by doubt with what it found, and chance in the last row; texts that need no escaping.

    Args:
        record: of one run, as `guess_record` gives it.
    """
    rows = [
        [SIGNAL_TITLES[one["signal"]], _written(one, "found", digits=2), _written(one, "aurc"), str(len(one["silent"]))]
        for one in record["signals"]
    ]
    chance = record["by_chance"]
    return [*rows, ["by chance", f"{chance['found']:.2f}", f"{chance['aurc']:.3f}", ""]]


def guess_notes(record: Mapping[str, Any]) -> list[str]:
    """What stands below the table: what it rests on, where the missed vessels lie, and the silent failures."""
    units = counted(record["units"], record["unit"])
    unknown = ", patients unknown" if record["patients"] is None else ""
    notes = [f"From {counted(record['cases'], 'case')} of {units}{unknown}.{_few(record)}"]
    bright = f"{record['by_chance']['bright']:.0%}".replace("%", " %")
    for one in record["maps"]:
        rests = f"{counted(one['cases'], 'case')} of {counted(one['units'], record['unit'])}"
        notes.append(
            f"The brightest {bright} of the {_MAP_TITLES[one['map']]} hold {_written(one, 'mean', '')} of the missed "
            f"centreline ({bright} by chance; {rests})."
        )
    for one in record["signals"][:1]:
        if one["silent"]:
            notes.append(
                f"Silent failures by the {SIGNAL_TITLES[one['signal']]}, the worst first: {listed(one['silent'])}."
            )
    return notes


def guess_text(records: Sequence[Mapping[str, Any]], heading: str) -> str:
    """The section of `summary.md`; empty where no run has a guess that was judged, and for older folders.

    Args:
        records: of a summary, one for each run.
        heading: of the section, escaped.
    """
    parts = []
    for record in records:
        if record["signals"] or record["maps"]:
            judged = table(guess_head(record), guess_rows(record)) if record["signals"] else ""
            notes = "\n".join(f"* {escaped(note)}" for note in guess_notes(record))
            parts.append("\n\n".join(part for part in (f"**{escaped(record['run'])}**", judged, notes) if part))
    if not parts:
        return ""
    explained = (
        "Cases in the order of the model's own doubt, made without ground truth: of the worst by Dice, how many stand "
        "at its head. A silent failure is among the worst and in the surer half. AURC is the mean loss, 1 - Dice, over "
        "all numbers of surest cases; the lower, the better. Doubt ranks the cases to look at; it accepts no mask."
    )
    return "\n\n".join([f"## {heading}", explained, *parts])


def _few(record: Mapping[str, Any]) -> str:
    if not record["signals"]:
        return f" No order is judged on fewer than {FEWEST_CASES} cases, or where Dice is undefined."
    return "" if record["units"] >= FEWEST_UNITS else f" Orders have no intervals with fewer than {FEWEST_UNITS} units."


def _written(one: Mapping[str, Any], name: str, prefix: str | None = None, digits: int = 3) -> str:
    """A figure with its interval, `0.80 [0.55, 1.00]`; the bounds are `<prefix>low` and `<prefix>high`."""
    start = f"{name}_" if prefix is None else prefix
    low, high = one[f"{start}low"], one[f"{start}high"]
    return f"{one[name]:.{digits}f}" + ("" if low is None else f" [{low:.{digits}f}, {high:.{digits}f}]")
