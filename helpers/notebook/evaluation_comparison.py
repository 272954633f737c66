"""Runs against the one that notebook 03 is about."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from helpers.evaluation.aggregation import sizes
from helpers.evaluation.paired import Pairing, changes, compare, pair
from helpers.evaluation.standing import counts, joint, p_value_note, title
from helpers.figures.scores import difference_figure
from helpers.figures.style import sizes_text
from helpers.notebook.evaluation import Results
from helpers.notebook.evaluation_tables import change_counts, unit_differences, with_warnings, written_comparison

_MOST_CHANGED = 5


@dataclass(frozen=True)
class Comparison:
    """The first run against another one.

    Attributes:
        number: from 1, in the order of the parameters.
        text: which runs, on what, and whether their masks are the same.
        tables: differences by metric, numbers of changed cases, and those that changed most either way.
    """

    number: int
    text: str
    tables: tuple[pd.DataFrame, ...] = field(repr=False)
    figure: Figure = field(repr=False)


def compared_with_first(results: Results) -> Iterator[Comparison]:
    """One comparison for each other run, in order: differences are those of the first run less the other."""
    for number, subject in enumerate(results.subjects[1:], start=1):
        pairing = pair(results.scores[subject.name], results.scores[results.first])
        compared = compare(pairing, draws=results.draws, seed=results.seed)
        together = counts(joint((pairing.first, pairing.second)))
        shown = title(together, results.left_out)
        note = sizes_text(sizes(pairing.first))
        tests = p_value_note(together, subject.name, results.first)
        changed = changes(pairing)
        differences = _named(written_comparison(compared), subject.name, results.first)
        yield Comparison(
            number,
            f"{_text(results.first, subject.name, pairing, note)}\n{shown}",
            (with_warnings(differences, [*results.training_warnings, *([tests] if tests else [])], shown),
             change_counts(changed),
             _named(_ends(changed).round(3), f"Dice, {subject.name}", f"Dice, {results.first}")),
            difference_figure(
                unit_differences(pairing, list(compared["metric"])),
                compared,
                first=subject.name,
                second=results.first,
                sizes_note=f"{note}; {shown}",
            ),
        )  # fmt: skip


def _ends(changed: pd.DataFrame) -> pd.DataFrame:
    """The first and last rows, each once."""
    if len(changed) <= 2 * _MOST_CHANGED:
        return changed
    return pd.concat([changed.head(_MOST_CHANGED), changed.tail(_MOST_CHANGED)])


def _named(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    return table.rename(columns={"first": first, "second": second})


def _text(first: str, other: str, pairing: Pairing, note: str) -> str:
    words = (
        f"{first} against {other}: {note}; masks identical in {len(pairing.identical)} of {len(pairing.first)} cases"
    )
    if pairing.all_identical:
        words += "\nThe two runs hold THE SAME MASKS: there is nothing to compare. Check that they are the runs meant"
    left_out = len(pairing.only_first) + len(pairing.only_second)
    return f"{words}\n{left_out} cases left out, since only one of the two was scored on them" if left_out else words
