"""Runs scored as sequences: a row for each frame and for each sequence, means with intervals, runs compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from helpers.core.progress import track
from helpers.core.shown_text import agreeing, counted
from helpers.data.cases import ignored_of, scored_pixels
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import in_sequences
from helpers.evaluation.case_arrays import Scorable
from helpers.evaluation.leakage.standing import trained_units
from helpers.evaluation.markdown import escaped, interval_text, p_text, table, written_mean
from helpers.evaluation.score_table import UNITED, Unit, keys_of, records_of, table_of, unit_means
from helpers.evaluation.scored_runs import ScoredRun
from helpers.metrics.intervals import DRAWS, FEWEST_UNITS, SEED, Scale, mean_interval
from helpers.metrics.significance import holm, sign_flip_p
from helpers.metrics.temporal import TEMPORAL, end_gaps, step

NAMES = tuple(metric.name for metric in TEMPORAL)
_STEPS = ("flicker", "temporal_dice", "truth_dice")


@dataclass(frozen=True)
class SequenceScores:
    """The temporal part of an evaluation.

    Attributes:
        frames: a row for each run and frame, docs/metrics-format.md.
        sequences: a row for each run and sequence.
        record: a JSON object: `runs` with their means, `comparisons` with the first.
    """

    frames: pd.DataFrame = field(repr=False)
    sequences: pd.DataFrame = field(repr=False)
    record: Mapping[str, Any] = field(repr=False)


def score_sequences(
    scored_runs: Sequence[ScoredRun],
    dataset: Dataset,
    cases: Sequence[Scorable],
    tables: Mapping[str, pd.DataFrame],
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> SequenceScores | None:
    """Temporal scores of runs on the same cases; None where no two neighbouring frames are scored.

    Args:
        tables: of scores, by the scored runs' names.
    """
    groups = _groups(dataset, cases)
    if not groups:
        return None
    frames = pd.DataFrame(
        row
        for group in track(groups, "sequences", unit="sequence")
        for row in _frame_rows(group, scored_runs, {name: table.set_index("case_id") for name, table in tables.items()})
    )
    sequences = pd.DataFrame(
        {"run": run, "patient": found["patient"].iloc[0], "sequence": sequence, **_sequence_values(found)}
        for (run, sequence), found in frames.groupby(["run", "sequence"], sort=False)
    )
    sequences = _with_united(sequences, next(iter(tables.values())))
    unit = Unit.PATIENT if sequences["patient"].notna().all() else Unit.SEQUENCE
    means = {
        scored_run.name: _unit_means(sequences[sequences["run"] == scored_run.name], unit) for scored_run in scored_runs
    }
    first = scored_runs[0].name
    record = {
        "unit": str(unit),
        "sequences": len(groups),
        "stepless": int((sequences[sequences["run"] == first]["steps"] == 0).sum()),
        "runs": [{"run": name, "metrics": _means(found)} for name, found in means.items()],
        "comparisons": [
            {
                "first": first,
                "second": name,
                "metrics": _differences(
                    means[first], found, trained_units((tables[first], tables[name]), unit), draws, seed
                ),
            }
            for name, found in means.items()
            if name != first
        ],
    }
    return SequenceScores(frames, sequences, record)


def _groups(dataset: Dataset, cases: Sequence[Scorable]) -> list[list[tuple[int, Scorable]]]:
    """The scored frames of each sequence with their positions in it; sequences with neighbouring ones only.

    Frames of another split that lie between two frames count: those two are not neighbours.
    """
    scored = {case.case_id: case for case in cases}
    groups = []
    for members in in_sequences(dataset.cases, lambda case: case.frame):
        known = [position for case in members if (position := case.frame.position) is not None]
        places: Sequence[int] = known if len(known) == len(members) else range(len(members))
        placed = [
            (at, scored[case.case_id]) for at, case in zip(places, members, strict=True) if case.case_id in scored
        ]
        positions = {position for position, _ in placed}
        if any(position + 1 in positions for position in positions):
            groups.append(placed)
    return groups


def _frame_rows(
    group: Sequence[tuple[int, Scorable]], scored_runs: Sequence[ScoredRun], tables: Mapping[str, pd.DataFrame]
) -> list[dict[str, Any]]:
    """Rows of one sequence. The steps of a row are those from the frame before; NaN where that is not scored."""
    rows, before = [], None
    for position, case in group:
        truth, ignored = case.truth.mask(*case.size), ignored_of(case.truth, *case.size)
        kept = scored_pixels(ignored)
        masks = {scored_run.name: _mask(scored_run, case) for scored_run in scored_runs}
        if before is not None and (before[0] != position - 1 or before[1].shape != truth.shape):
            before = None
        for scored_run in scored_runs:
            scores = tables[scored_run.name].loc[case.case_id]
            changed = None
            unseen = None if before is None else _either(before[3], ignored)
            if before is not None and (unseen is None or not unseen.all()):
                both = scored_pixels(unseen)
                pair = before[1], truth, before[2][scored_run.name], masks[scored_run.name]
                changed = step(*map(both, pair))
            rows.append(
                {
                    "run": scored_run.name,
                    "patient": case.case.frame.patient,
                    "sequence": case.case.frame.sequence,
                    "case_id": case.case_id,
                    "position": position,
                    "number": case.case.frame.number,
                    "outcome": scores["outcome"],
                    "dice": scores["dice"],
                    "cldice": scores["cldice"],
                    "truth_pixels": int(truth.sum()),
                    "mask_pixels": int(kept(masks[scored_run.name]).sum()),
                    **{name: np.nan if changed is None else getattr(changed, name) for name in _STEPS},
                }
            )
        before = (position, truth, masks, ignored)
    return rows


def _either(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    """Pixels that are ignored in one frame or the other."""
    if first is None or second is None:
        return second if first is None else first
    return first | second


def _mask(scored_run: ScoredRun, case: Scorable) -> np.ndarray:
    """The stored mask, bool (H, W); empty where there is none."""
    mask = scored_run.mask(case.case_id)
    return np.zeros(case.size[::-1], bool) if mask is None else mask


def _sequence_values(frames: pd.DataFrame) -> dict[str, Any]:
    """The numbers of one run and sequence, from its rows in order of time."""
    first, last = end_gaps(frames["dice"], frames["truth_pixels"] > 0)
    return {
        "frames": len(frames),
        "steps": int(frames["flicker"].notna().sum()),
        **{name: frames[name].mean() for name in ("dice", "cldice", "flicker", "temporal_dice", "truth_dice")},
        "temporal_dice_gap": (frames["temporal_dice"] - frames["truth_dice"]).abs().mean(),
        "first_gap": first,
        "last_gap": last,
    }


def _with_united(sequences: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The sequences with the id that each patient counts under, where a table of scores has it."""
    if UNITED not in scores:
        return sequences
    return sequences.assign(
        **{UNITED: sequences["patient"].map(dict(zip(scores["patient"], scores[UNITED], strict=True)))}
    )


def _unit_means(sequences: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """Means over the sequences of each patient; of each sequence where patients are not known for all."""
    return sequences.groupby(keys_of(sequences, unit), sort=False)[list(NAMES)].mean()


def _means(units: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for metric in TEMPORAL:
        values = units[metric.name].to_numpy()
        interval, each = mean_interval(values, metric.scale), unit_means(units.index, values)
        rows.append({"metric": metric.name, **interval.row(), "n_units": interval.units, "unit_means": each})
    return rows


def _differences(
    first: pd.DataFrame, second: pd.DataFrame, trained: frozenset[str], draws: int, seed: int
) -> list[dict[str, Any]]:
    """Second less first in unit means, each with an interval and a test; Holm's correction is over `NAMES`.

    Args:
        trained: units that a training saw frames of; tests leave them out.
    """
    rows = []
    for name in NAMES:
        differences = (second[name] - first[name]).dropna()
        interval = mean_interval(differences.to_numpy(), Scale.DIFFERENCE)
        untrained = differences[~differences.index.isin(trained)].to_numpy()
        tested = len(untrained) >= FEWEST_UNITS and untrained.any()
        p = sign_flip_p(untrained, draws=draws, seed=seed) if tested else np.nan
        rows.append(
            {
                "metric": name,
                **interval.row("difference"),
                "n_units": interval.units,
                "unit_means": unit_means(differences.index, differences.to_numpy()),
                **({"n_tested": len(untrained)} if trained else {}),
                "p_sign_flip": p,
            }
        )
    table = table_of(rows)
    return records_of(table.assign(p_sign_flip_holm=holm(table["p_sign_flip"].to_numpy())))


def sequence_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Temporal scores: a metric's title, then a mean with its interval for each run.

    Args:
        found: `sequences` of a summary, not null.
    """
    tables = [{row["metric"]: {**row, "unit": found["unit"]} for row in run["metrics"]} for run in found["runs"]]
    return [[metric.title, *(written_mean(table[metric.name]) for table in tables)] for metric in TEMPORAL]


def sequence_difference_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """The same for differences from the first run; a text for each other run, with its p-value."""
    rows = []
    for metric in TEMPORAL:
        texts = []
        for one in found["comparisons"]:
            row = next(row for row in one["metrics"] if row["metric"] == metric.name)
            p = "" if row["p_sign_flip_holm"] is None else f", p {p_text(row['p_sign_flip_holm'])}"
            texts.append(written_mean({**row, "mean": row["difference"], "unit": found["unit"]}) + p)
        rows.append([metric.title, *texts])
    return rows


def stepless_text(found: Mapping[str, Any]) -> str:
    """How many sequences have no step from frame to frame; empty where all have one.

    Args:
        found: `sequences` of a summary, not null.
    """
    count = found.get("stepless", 0)
    if not count:
        return ""
    return (
        f"{count} of {counted(found['sequences'], 'sequence')} {agreeing(count, 'has', 'have')} no two neighbouring "
        "frames of one size, so that nothing is said of their changes from frame to frame"
    )


def sequences_text(found: Mapping[str, Any] | None, heading: str = "Sequences") -> str:
    """The section of `summary.md` on sequences; empty where there are none.

    Args:
        found: `sequences` of a summary.
        heading: in Markdown.
    """
    if found is None:
        return ""
    names = [escaped(run["run"]) for run in found["runs"]]
    parts = [
        f"## {heading}\n\n{counted(found['sequences'], 'sequence')}, means of {found['unit']} means. Frames are "
        "neighbours where nothing lies between them in the data set. 95 % intervals: "
        f"{interval_text([row for run in found['runs'] for row in run['metrics']])}."
        + (f" {stepless_text(found)}." if stepless_text(found) else ""),
        table(["", *names], sequence_rows(found)),
    ]
    if found["comparisons"]:
        others = [f"{escaped(one['second'])} less {escaped(one['first'])}" for one in found["comparisons"]]
        shown = table(["", *others], sequence_difference_rows(found))
        parts += ["Paired, with Holm's correction over these metrics:", shown]
    parts.append("\n".join(f"* {metric.title}: {metric.text} (better: {metric.better})" for metric in TEMPORAL))
    return "\n\n".join(parts)
