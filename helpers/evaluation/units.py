"""Logit histograms by independent unit: what is chosen on some patients is scored on others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd

from helpers.errors import RefusedInput
from helpers.evaluation.aggregation import unit_keys
from helpers.evaluation.curve import LogitHistogram, thresholds
from helpers.evaluation.intervals import DRAWS, SEED, drawn_units

FOLDS = 5


class ChosenBy(StrEnum):
    """Where a parameter comes from."""

    DEVELOPMENT = "development"  # other patients, given for that
    CROSS_VALIDATION = "cross-validation"  # each fold is scored with what the other folds chose


@dataclass(frozen=True)
class UnitHistograms:
    """The summed logit histograms of each unit.

    Attributes:
        names: of the units, in the order of the table of scores.
        vessel, background: int64 (units, 8193), pixels as in `LogitHistogram`.
        cases: number of cases that have logits.
    """

    names: tuple[str, ...]
    vessel: np.ndarray = field(repr=False)
    background: np.ndarray = field(repr=False)
    cases: int

    def pooled(self, chosen: Sequence[int] | slice = slice(None)) -> LogitHistogram:
        """The histogram of all units together, or of those at the places `chosen`."""
        return LogitHistogram(self.vessel[chosen].sum(axis=0), self.background[chosen].sum(axis=0))


def unit_histograms(table: pd.DataFrame, histograms: Mapping[str, LogitHistogram]) -> UnitHistograms:
    """Sum histograms over the cases of each unit; cases without logits, and units without any, are left out.

    Args:
        table: of scores.
        histograms: by case id.
    """
    sums: dict[str, LogitHistogram] = {}
    cases = 0
    for case_id, unit in zip(table["case_id"], unit_keys(table), strict=True):
        if case_id in histograms:
            found = histograms[case_id]
            sums[unit] = sums[unit] + found if unit in sums else found
            cases += 1
    width = len(thresholds())
    stacked = [
        np.stack([getattr(one, part) for one in sums.values()]) if sums else np.zeros((0, width), np.int64)
        for part in ("vessel", "background")
    ]
    return UnitHistograms(tuple(sums), *stacked, cases)


def filled(table: pd.DataFrame, histograms: Mapping[str, LogitHistogram]) -> list[LogitHistogram]:
    """A histogram for each row of a table of scores; one without logits is empty at every threshold."""
    return [
        histograms[row.case_id] if row.case_id in histograms else _empty(row.tp + row.fn, row.fp + row.tn)
        for row in table[["case_id", "tp", "fp", "fn", "tn"]].itertuples()
    ]


def is_flat(histograms: Mapping[str, LogitHistogram]) -> bool:
    """Whether all logits are of two values or fewer: imported masks, of which every threshold makes the same mask."""
    used = np.zeros(len(thresholds()), bool)
    for one in histograms.values():
        used |= one.vessel + one.background > 0
    return np.count_nonzero(used) <= 2


def folds(units: int, count: int = FOLDS, seed: int = SEED) -> list[np.ndarray]:
    """Places of the units of each fold, dealt from a seeded shuffle; one a fold where there are fewer than `count`.

    Raises:
        RefusedInput: with fewer than two units: there is nothing to choose on apart from what is scored.
    """
    if units < 2:
        raise RefusedInput(f"expected at least 2 independent units for cross-validation, got {units}")
    order = np.random.default_rng(seed).permutation(units)
    return [np.sort(order[start::count]) for start in range(min(count, units))]


def require_apart(table: pd.DataFrame, development: pd.DataFrame) -> None:
    """Check that what is chosen on `development` says nothing of the scored cases: no case, patient or sequence shared.

    Raises:
        RefusedInput: where the two tables of scores share one.
    """
    for column in ("case_id", "patient", "sequence"):
        shared = sorted(set(table[column].dropna()) & set(development[column].dropna()))
        if shared:
            word = column.removesuffix("_id")
            raise RefusedInput(
                f"development: expected other patients than the scored ones, found {len(shared)} {word}s in both, the "
                f"first {shared[0]}. Split by patient"
            )


def resampled_counts(units: int, *, draws: int = DRAWS, seed: int = SEED) -> Iterator[np.ndarray]:
    """How often each unit is in each bootstrap draw, float64 (block, units), block after block."""
    for picked in drawn_units(units, draws=draws, seed=seed):
        rows = len(picked)
        places = picked + np.arange(rows, dtype=np.int64)[:, None] * units
        yield np.bincount(places.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)


def _empty(vessel: int, background: int) -> LogitHistogram:
    lowest = np.zeros((2, len(thresholds())), np.int64)
    lowest[:, 0] = vessel, background
    return LogitHistogram(*lowest)
