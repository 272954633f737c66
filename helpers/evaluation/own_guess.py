"""The model's own guess of where it errs: an order of cases by doubt, and what that order is worth on scored patients.

A guess is made without ground truth: it orders the cases to look at. How much to trust the order is measured where
there is one, and told with its cases and patients; no threshold on a guess accepts anything.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from helpers.core.progress import track
from helpers.data.frames.image_reading import natural_key
from helpers.evaluation.score_table import Unit, keys_of, patient_means, unit_of
from helpers.evaluation.scored_runs import ScoredRun
from helpers.metrics.case_scores import CaseScores
from helpers.metrics.intervals import DRAWS, FEWEST_UNITS, LEVEL, SEED, Method, Scale, drawn_units, mean_interval
from helpers.metrics.own_doubt import BRIGHT, expected_dice, is_graded
from helpers.metrics.queue_ranking import FIRST, WORST, found_early, risk_area, silent_failures

FEWEST_CASES = 20
"""Below, the worst tenth is a case or two, of which no share says anything."""
_MOST_DRAWS = 2000  # each sorts all cases


class Signal(StrEnum):
    """What a doubt is read from, in the order in which a queue takes the first that a run has (docs/uncertainty.md)."""

    MAP = "map"  # 1 - Dice that the map expects of its own mask
    ENSEMBLE = "ensemble"  # disagreement of the ensemble's members
    PREDICTED_IOU = "predicted_iou"  # 1 - SAM2's estimate, of several [SEG] the lowest
    OBJECT_SCORE = "object_score"  # less SAM2's logit that there is an object, of several the lowest


@dataclass(frozen=True)
class DoubtOrder:
    """The cases of a run by one signal of doubt.

    Attributes:
        signal: that the doubt was read from.
        doubt: case id -> doubt, the highest first to be looked at; infinity without a mask, or where it cannot be told.
    """

    signal: Signal
    doubt: Mapping[str, float] = field(repr=False)

    @cached_property
    def case_ids(self) -> tuple[str, ...]:
        """All cases, the highest doubt first; equal ones in natural order of their ids."""
        return tuple(sorted(self.doubt, key=lambda case_id: (-self.doubt[case_id], natural_key(case_id))))

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """Case id -> place in that order, from 1; cases of equal doubt share a place."""
        ranks = pd.Series(self.doubt, dtype=float).rank(method="min", ascending=False)
        return {case_id: int(ranks[case_id]) for case_id in self.case_ids}


def order_of(scored_run: ScoredRun) -> DoubtOrder | None:
    """The cases of a run by the first `Signal` that it has; None where it has none. No ground truth is read.

    Raises:
        RefusedInput: as `Run.mask`.
    """
    case_ids = scored_run.run.cases()
    doubts = doubts_of(scored_run, case_ids, expected_of(scored_run, case_ids))
    signal = next((signal for signal in Signal if signal in doubts), None)
    return None if signal is None else DoubtOrder(signal, dict(doubts[signal].fillna(np.inf)))


def doubts_of(scored_run: ScoredRun, case_ids: Sequence[str], expected: Mapping[str, float | None]) -> pd.DataFrame:
    """Doubt of each case by each signal that the run has, the highest first to be looked at; no ground truth is read.

    A case without a mask is beyond all doubt: infinity. A case whose signal is missing is NaN.

    Args:
        case_ids: of the run; others are missing predictions, and infinity too.
        expected: Dice that each case's map expects, by case id; see `expected_of`.
    Returns:
        Rows in the order of `case_ids`, which are the index; a column for each `Signal`, all NaN ones left out.
    """
    rows = []
    for case_id in case_ids:
        if not scored_run.has_mask(case_id):
            rows.append(dict.fromkeys(Signal, np.inf))
            continue
        found = scored_run.run.prediction(case_id, scored_run.prompt_id)
        dice = expected.get(case_id)
        rows.append(
            {
                Signal.MAP: np.nan if dice is None else 1 - dice,
                Signal.ENSEMBLE: _number(found[0].disagreement),
                Signal.PREDICTED_IOU: 1 - _lowest(row.predicted_iou for row in found),
                Signal.OBJECT_SCORE: -_lowest(row.object_score for row in found),
            }
        )
    table = pd.DataFrame(rows, index=pd.Index(case_ids, name="case_id"), columns=list(Signal), dtype=float)
    known = [signal for signal in Signal if np.isfinite(table[signal]).any()]
    return table[known].rename(columns=str)


def expected_of(scored_run: ScoredRun, case_ids: Iterable[str]) -> dict[str, float | None]:
    """Dice that the map of each case expects of its own mask; None as `CaseDoubt` has it. Raises as `Run.mask`."""
    found: dict[str, float | None] = {}
    for case_id in track(list(case_ids), "reading maps", unit="case"):
        mask = scored_run.mask(case_id)
        logits = scored_run.run.full_map(case_id, scored_run.prompt_id) if mask is not None else None
        found[case_id] = None
        if mask is not None and logits is not None and is_graded(logits):
            found[case_id] = expected_dice(expit(logits), mask)
    return found


def guesses_table(scored_run: ScoredRun, scores: Sequence[CaseScores]) -> pd.DataFrame:
    """What the run says of its own doubt, a row for each scored case: signals, and where the missed centreline lies."""
    case_ids = [one.case_id for one in scores]
    doubts = doubts_of(scored_run, case_ids, {one.case_id: one.doubt.expected_dice for one in scores})
    lines = [(one.doubt.missed, one.doubt.in_spread, one.doubt.in_map) for one in scores]
    columns = ["missed", "missed_in_spread", "missed_in_map"]
    return doubts.join(pd.DataFrame(lines, index=doubts.index, columns=columns, dtype=float)).reset_index()


def guess_record(table: pd.DataFrame, guesses: pd.DataFrame, *, draws: int = DRAWS, seed: int = SEED) -> dict[str, Any]:
    """What a run's own guesses were worth, a JSON object; docs/metrics-format.md has the fields.

    Args:
        table: of scores of the run, all cases that were scored.
        guesses: of `guesses_table`, of the same cases in the same order.
    """
    signals = [str(signal) for signal in Signal if signal in guesses.columns]
    whole = [name for name in signals if guesses[name].notna().all()]
    dice, units = table["dice"].to_numpy(float), keys_of(table, unit_of(table))
    few = len(table) < FEWEST_CASES or table["dice"].isna().any()
    return {
        "cases": len(table),
        "units": int(units.nunique()),
        "unit": str(unit_of(table)),
        "patients": int(units.nunique()) if unit_of(table) is Unit.PATIENT else None,
        "worst": WORST,
        "first": FIRST,
        "by_chance": {"found": FIRST, "aurc": float(np.mean(1 - dice)), "bright": BRIGHT},
        "signals": []
        if few
        else [
            _judged(name, guesses[name].to_numpy(float), dice, units, table["case_id"], draws=draws, seed=seed)
            for name in whole
        ],
        "maps": _maps(table, guesses),
    }


def _judged(
    name: str, doubt: np.ndarray, dice: np.ndarray, units: pd.Series, case_ids: pd.Series, *, draws: int, seed: int
) -> dict[str, Any]:
    """One signal's order against the scores, with intervals over units."""
    silent = silent_failures(doubt, dice)
    ordered = case_ids[silent].iloc[np.argsort(dice[silent], kind="stable")]
    return {
        "signal": name,
        **_drawn("found", found_early, doubt, dice, units, draws=draws, seed=seed),
        **_drawn("aurc", risk_area, doubt, dice, units, draws=draws, seed=seed),
        "silent": ordered.tolist(),
    }


def _drawn(
    name: str,
    judge: Callable[[np.ndarray, np.ndarray], float],
    doubt: np.ndarray,
    dice: np.ndarray,
    units: pd.Series,
    *,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """A figure of an order, with percentiles over draws of whole units.

    No bounds from fewer than 10 units, nor where all draws agree: that says how few units there are, and no certainty.
    """
    found = {name: judge(doubt, dice), f"{name}_low": None, f"{name}_high": None, f"{name}_interval": None}
    places = [group.to_numpy() for _, group in pd.Series(range(len(units))).groupby(units.to_numpy(), sort=True)]
    if len(places) < FEWEST_UNITS:
        return found
    values = [
        judge(doubt[cases], dice[cases])
        for block in drawn_units(len(places), draws=min(draws, _MOST_DRAWS), seed=seed)
        for cases in (np.concatenate([places[unit] for unit in drawn]) for drawn in block)
    ]
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if low == high:
        return found
    return found | {
        f"{name}_low": float(low),
        f"{name}_high": float(high),
        f"{name}_interval": str(Method.PERCENTILE),
    }


def _maps(table: pd.DataFrame, guesses: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each map, the share of missed centreline in its bright part: mean over unit means, where some was missed."""
    found = []
    for name in ("spread", "map"):
        shares = guesses[f"missed_in_{name}"].to_numpy(float) / guesses["missed"].replace(0, np.nan).to_numpy(float)
        if np.isnan(shares).all():
            continue
        means = patient_means(table.assign(_share=shares), ["_share"])["_share"].to_numpy(float)
        interval = mean_interval(means, Scale.SHARE)
        found.append({"map": name, "cases": int((~np.isnan(shares)).sum()), "units": interval.units, **interval.row()})
    return found


def _lowest(values: Iterable[float | None]) -> float:
    return min((_number(value) for value in values), default=np.nan)


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
