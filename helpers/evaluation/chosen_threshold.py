"""A threshold chosen on some patients, scored on others beside 0.5; and scores over the threshold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.evaluation.score_table import Unit, patient_means, unit_columns, unit_keys, unit_of
from helpers.metrics.intervals import SEED, Interval, Scale, column_intervals, mean_interval
from helpers.metrics.overlap import PixelCounts, overlap_scores
from helpers.metrics.threshold_curve import (
    STEPS_PER_LOGIT,
    ChosenBy,
    LogitHistogram,
    UnitHistograms,
    dice_curve,
    folds,
    sweep,
    thresholds,
)

CURVES = ("dice", "iou", "precision", "recall")

# Candidates are 1/16 logit apart, near 0.5 a step of 1.6 %. The last threshold of the sweep is none: what lies beyond
# it is not told apart.
_CANDIDATES = slice(None, -1, 16)
_HALF = len(thresholds()) // 2 // 16  # place of logit 0 among them
_SHOWN = tuple(round(0.05 * step, 2) for step in range(1, 20))
_TIE = 1e-9


@dataclass(frozen=True)
class LockedThreshold:
    """A threshold and what it is worth on cases that did not choose it.

    Attributes:
        threshold: probability, 0 .. 1, the one to use from now on.
        chosen_by: from where.
        chosen_on: ids of the cases that chose it. By cross-validation these are all cases, and the scores are those
            of `fold_thresholds`, each on the fold that had no say in it.
        fold_thresholds: probabilities, one for each fold; none where it was chosen on a development split.
        dice, dice_at_half: mean of unit means of Dice at the chosen threshold and at 0.5.
        gain: the paired difference of the two.
        unit: what the means are over.
    """

    threshold: float
    chosen_by: ChosenBy
    chosen_on: tuple[str, ...] = field(repr=False)
    fold_thresholds: tuple[float, ...]
    dice: Interval
    dice_at_half: Interval
    gain: Interval
    unit: Unit


def on_development(
    table: pd.DataFrame,
    histograms: Mapping[str, LogitHistogram],
    development: pd.DataFrame,
    development_histograms: Mapping[str, LogitHistogram],
) -> LockedThreshold:
    """Choose a threshold on the cases of `development`, score it on those of `table`.

    Args:
        table, development: tables of scores; cases without a histogram are empty masks at every threshold.
        histograms, development_histograms: by case id.
    Raises:
        RefusedInput: where the two share a case, a sequence or a patient.
    """
    require_apart(table, development)
    place = _best(_unit_dice(development, development_histograms))
    scored = _unit_dice(table, histograms)
    return _locked(
        table,
        threshold=_probability(place),
        chosen_by=ChosenBy.DEVELOPMENT,
        chosen_on=tuple(development["case_id"]),
        fold_thresholds=(),
        chosen=scored[:, place],
        at_half=scored[:, _HALF],
    )


def cross_validated(
    table: pd.DataFrame, histograms: Mapping[str, LogitHistogram], *, seed: int = SEED
) -> LockedThreshold:
    """Choose a threshold where there is no development split: units in folds, each scored with the choice of the rest.

    Args:
        table: of scores; cases without a histogram are empty masks at every threshold.
        histograms: by case id.
    Raises:
        RefusedInput: with fewer than two units.
    """
    scored = _unit_dice(table, histograms)
    chosen, places = np.empty(len(scored)), []
    for held_out in folds(len(scored), seed=seed):
        place = _best(np.delete(scored, held_out, axis=0))
        chosen[held_out] = scored[held_out, place]
        places.append(place)
    return _locked(
        table,
        threshold=_probability(_best(scored)),
        chosen_by=ChosenBy.CROSS_VALIDATION,
        chosen_on=tuple(table["case_id"]),
        fold_thresholds=tuple(_probability(place) for place in places),
        chosen=chosen,
        at_half=scored[:, _HALF],
    )


def threshold_curves(table: pd.DataFrame, histograms: Mapping[str, LogitHistogram]) -> pd.DataFrame:
    """Mean of unit means at thresholds from 0.05 to 0.95, each taken to the next lower logit of the sweep.

    Args:
        table: of scores; cases without a histogram are empty masks at every threshold.
        histograms: by case id.
    Returns:
        Columns metric, threshold, mean, low, high: pointwise intervals, NaN with fewer than five units; values are NaN
        where no case defines the metric.
    """
    places = [math.floor(logit(shown) * STEPS_PER_LOGIT) + len(thresholds()) // 2 for shown in _SHOWN]
    rows = [_scores_at(one, places) for one in filled(table, histograms)]
    names = [f"{metric}@{shown}" for metric in CURVES for shown in _SHOWN]
    listed = table[unit_columns(table)].reset_index(drop=True)
    means = patient_means(pd.concat([listed, pd.DataFrame(rows, columns=names)], axis=1), names)[names].to_numpy()
    middle, low, high = column_intervals(means, Scale.SHARE)
    keys = pd.MultiIndex.from_product([CURVES, _SHOWN], names=["metric", "threshold"]).to_frame(index=False)
    return keys.assign(mean=middle, low=low, high=high)


def _locked(
    table: pd.DataFrame,
    *,
    threshold: float,
    chosen_by: ChosenBy,
    chosen_on: tuple[str, ...],
    fold_thresholds: tuple[float, ...],
    chosen: np.ndarray,
    at_half: np.ndarray,
) -> LockedThreshold:
    intervals = [mean_interval(values, Scale.SHARE) for values in (chosen, at_half)]
    intervals.append(mean_interval(chosen - at_half, Scale.DIFFERENCE))
    return LockedThreshold(
        threshold=threshold,
        chosen_by=chosen_by,
        chosen_on=chosen_on,
        fold_thresholds=fold_thresholds,
        dice=intervals[0],
        dice_at_half=intervals[1],
        gain=intervals[2],
        unit=unit_of(table),
    )


def _unit_dice(table: pd.DataFrame, histograms: Mapping[str, LogitHistogram]) -> np.ndarray:
    """Mean Dice of each unit at each candidate, float64 (units, candidates)."""
    curves = pd.DataFrame([dice_curve(one)[_CANDIDATES] for one in filled(table, histograms)])
    listed = table[unit_columns(table)].reset_index(drop=True)
    return patient_means(pd.concat([listed, curves], axis=1), list(curves.columns))[list(curves.columns)].to_numpy()


def _best(unit_dice: np.ndarray) -> int:
    """Place of the best candidate; of equals the nearest to probability 0.5, so that flat curves choose that."""
    means = unit_dice.mean(axis=0)
    ties = np.flatnonzero(means >= means.max() - _TIE)
    return int(ties[np.argmin(np.abs(ties - _HALF))])


def _probability(place: int) -> float:
    return float(expit(thresholds()[_CANDIDATES][place]))


def _scores_at(histogram: LogitHistogram, places: list[int]) -> list[float]:
    """The scores of `CURVES` at places of the sweep, metric after metric."""
    hits, alarms = sweep(histogram)
    vessel, background = int(histogram.vessel.sum()), int(histogram.background.sum())
    by_threshold = []
    for place in places:
        tp, fp = int(hits[place]), int(alarms[place])
        by_threshold.append(overlap_scores(PixelCounts(tp=tp, fp=fp, fn=vessel - tp, tn=background - fp)))
    return [scores[metric] for metric in CURVES for scores in by_threshold]


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
            histogram = histograms[case_id]
            sums[unit] = sums[unit] + histogram if unit in sums else histogram
            cases += 1
    width = len(thresholds())
    stacked = [
        np.stack([getattr(one, part) for one in sums.values()]) if sums else np.zeros((0, width), np.int64)
        for part in ("vessel", "background")
    ]
    return UnitHistograms(tuple(sums), stacked[0], stacked[1], cases)


def filled(table: pd.DataFrame, histograms: Mapping[str, LogitHistogram]) -> list[LogitHistogram]:
    """A histogram for each row of a table of scores; one without logits is empty at every threshold."""
    return [
        histograms[row.case_id] if row.case_id in histograms else _empty(row.tp + row.fn, row.fp + row.tn)
        for row in table[["case_id", "tp", "fp", "fn", "tn"]].itertuples()
    ]


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
                f"development: expected other patients than the scored ones, found {counted(len(shared), word)} in "
                f"both, the first {shared[0]}. Split by patient"
            )


def _empty(vessel: int, background: int) -> LogitHistogram:
    lowest = np.zeros((2, len(thresholds())), np.int64)
    lowest[:, 0] = vessel, background
    return LogitHistogram(*lowest)
