"""What mending the head of a queue gains over mending as many frames at random, by the scores of an evaluation.

A mended frame has Dice 1, all others keep theirs. Given is the mean Dice of all frames after mending by each order,
less that after mending at random (whose mean over all draws is exact), with percentiles over draws of whole patients.
Run:
python -m helpers.dev.measure.queue_simulation METRICS [METRICS ...]
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.core.shown_text import counted, markdown_table
from helpers.data.frames.frame import Frame
from helpers.evaluation.metrics_folder import Metrics, open_metrics
from helpers.evaluation.own_guess import DoubtOrder, Signal
from helpers.evaluation.score_table import Unit, unit_keys, unit_of
from helpers.metrics.intervals import FEWEST_UNITS, LEVEL, SEED, drawn_units
from helpers.metrics.queue_ranking import count_of, first_of
from helpers.review.case_queue import chosen_cases

SHARES = (0.1, 0.2, 0.4)
DRAWS = 2000
AS_REVIEWED = "queue of the review"

Choose = Callable[[np.ndarray], np.ndarray]


def gain(chosen: np.ndarray, dice: np.ndarray, share: float) -> float:
    """Mean Dice after mending chosen frames, less its expectation after mending the same share at random.

    Args:
        chosen: how much each frame is mended, float (n,), 0 .. 1.
        dice: float (n,).
        share: of the frames, that is mended.
    """
    loss = 1 - dice
    return float((chosen * loss).mean() - share * loss.mean())


def gains(metrics: Metrics, run: str, share: float) -> list[tuple[str, float, float | None, float | None]]:
    """Each order's gain with bounds, None from fewer than 10 units: by each signal, and by the queue of a review."""
    table, guesses = metrics.scores(run), metrics.guesses(run)
    if guesses is None:
        return []
    dice, units = table["dice"].to_numpy(float), unit_keys(table).to_numpy()
    signals = [signal for signal in Signal if signal in guesses and guesses[signal].notna().all()]
    doubts = {str(signal): guesses[signal].to_numpy(float) for signal in signals}
    orders: list[tuple[str, np.ndarray]] = [
        (name, first_of(doubt, count_of(share, len(doubt)))) for name, doubt in doubts.items()
    ]
    if signals:
        orders.append((AS_REVIEWED, _as_reviewed(table, signals[0], doubts[str(signals[0])], share)))
    found = []
    for name, chosen in orders:
        low, high = _bounds(chosen, dice, units)
        found.append((name, gain(chosen, dice, chosen.mean()), low, high))
    return found


def _as_reviewed(table: pd.DataFrame, signal: Signal, doubt: np.ndarray, share: float) -> np.ndarray:
    """Which frames the queue of a review holds, float (n,), 0 or 1."""
    frames = [Frame(row.case_id, Path(), None, row.patient, row.sequence, None, None) for row in table.itertuples()]
    case_ids = table["case_id"].tolist()
    order = DoubtOrder(signal, dict(zip(case_ids, doubt, strict=True)))
    queue = chosen_cases(order, frames, count_of(share, len(frames)), "0")
    return np.array([float(case_id in queue.chosen) for case_id in case_ids])


def _bounds(chosen: np.ndarray, dice: np.ndarray, units: np.ndarray) -> tuple[float | None, float | None]:
    """Percentiles of the gain over draws of whole units; the queue stays that of all frames."""
    places = [np.flatnonzero(units == unit) for unit in sorted(set(units))]
    if len(places) < FEWEST_UNITS:
        return None, None
    values = []
    for block in drawn_units(len(places), draws=DRAWS, seed=SEED):
        for drawn in block:
            cases = np.concatenate([places[unit] for unit in drawn])
            values.append(gain(chosen[cases], dice[cases], float(chosen[cases].mean())))  # as many at random
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def report(folders: Sequence[Path]) -> str:
    """A table for each metrics folder and run, in Markdown."""
    parts = []
    for metrics in map(open_metrics, folders):
        for run in metrics.runs:
            table = metrics.scores(run)
            unit, units = unit_of(table), unit_keys(table).nunique()
            known = "" if unit is Unit.PATIENT else ", patients unknown"
            rows: dict[str, list[str]] = {}
            for share in SHARES:
                for name, value, low, high in gains(metrics, run, share):
                    bounds = "" if low is None else f" [{low:+.3f}, {high:+.3f}]"
                    rows.setdefault(name, [name]).append(f"{value:+.3f}{bounds}")
            rests = f"{run}: {counted(len(table), 'case')} of {counted(units, unit)}{known}"
            head = ["order", *(f"{share:.0%} corrected".replace("%", " %") for share in SHARES)]
            parts.append(f"{rests}; mean Dice {table['dice'].mean():.3f}\n\n" + markdown_table(head, rows.values()))
    return "\n\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("metrics", type=Path, nargs="+", help="folders that evaluate wrote")
    print(report(parser.parse_args(arguments).metrics))


if __name__ == "__main__":
    main()
