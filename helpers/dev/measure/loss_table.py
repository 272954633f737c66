"""The table of a study of changes to the training: each against the control, patient by patient."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from helpers.core.shown_text import counted
from helpers.evaluation.markdown import table
from helpers.metrics.intervals import Interval, Method, Scale, mean_interval, ratio_interval

CONTROL, START = "control", "start"
"""Names of the training without a change, and of the model before any."""

SCORES: Mapping[str, Scale] = {
    "dice": Scale.SHARE,
    "cldice": Scale.SHARE,
    "nsd_2px": Scale.SHARE,
    "betti0_error": Scale.AMOUNT,
}
SHARES: Mapping[str, tuple[str, str]] = {
    "true gaps bridged": ("bridged", "gaps"),
    "true narrowings widened": ("widened", "narrowings"),
    "true narrowings lost": ("lost", "narrowings"),
}
"""Names of pooled shares, with the columns of what is counted and of how many there are."""


def scores_file(folder: Path, name: str) -> Path:
    """Where a study's folder holds the scores of a training's cases."""
    return folder / "scores" / f"{name}.csv"


def stored_scores(folder: Path) -> dict[str, dict[str, pd.DataFrame]]:
    """Scores of cases by change and seed, as a study's folder holds them; the starting model has the seed ''."""
    found: dict[str, dict[str, pd.DataFrame]] = {}
    for file in sorted((folder / "scores").glob("*.csv")):
        change, _, seed = file.stem.rpartition("-")
        name = (file.stem, "") if file.stem == START else (change, seed)
        found.setdefault(name[0], {})[name[1]] = pd.read_csv(file, dtype={"patient": str})
    return found


def report(stored: Mapping[str, Mapping[str, pd.DataFrame]], iterations: int, batch: int) -> str:
    """The table of what was scored, with what it rests on.

    Args:
        stored: scores of cases, by change and seed; of the control too.
    """
    control = stored.get(CONTROL, {})
    if not control:
        return "No control was scored yet: there is nothing to compare with."
    some = next(iter(control.values()))
    sets = some.groupby("set").agg(frames=("case_id", "nunique"), patients=("patient", "nunique"))
    on = "; ".join(
        f"{name}: {counted(one.frames, 'frame')} of {counted(one.patients, 'patient')}" for name, one in sets.iterrows()
    )
    head = (
        f"{on}. {counted(iterations, 'iteration')} of {counted(batch, 'frame')}, seeds {', '.join(control)}. Means of "
        "patient means over seeds, with 95 % intervals over patients; differences to the control are paired. Gaps and "
        "narrowings are counted once for each frame and seed.\n"
    )
    order = [name for name in (CONTROL, START, *stored) if name in stored]
    rows = [row for name in dict.fromkeys(order) for row in _rows(name, stored[name], control)]
    return f"{head}\n{table(['change', 'scored on', 'score', 'value', 'to the control', 'of each seed'], rows)}"


def _rows(
    name: str, scored: Mapping[str, pd.DataFrame], control: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[str, ...]]:
    whole, beside = pd.concat(scored.values()), pd.concat(control.values())
    for set_name in sorted(set(whole["set"])):
        ours, theirs = _of_set(whole, set_name), _of_set(beside, set_name)
        by_seed = [
            (_of_set(one, set_name), _of_set(control.get(seed, beside), set_name)) for seed, one in scored.items()
        ]
        for score, scale in SCORES.items():
            value = mean_interval(_patient_means(ours, score).to_numpy(), scale)
            seeds = [f"{difference(*pair, score).estimate:+.3f}" for pair in by_seed]
            yield _row(name, set_name, score, value, difference(ours, theirs, score), seeds)
        for share, (top, bottom) in SHARES.items():
            sums = ours.groupby("patient")[[top, bottom]].sum()
            sums = sums[sums[bottom] > 0]
            if len(sums):
                value = ratio_interval(sums[top].to_numpy(), sums[bottom].to_numpy(), Scale.SHARE)
                count = f"{sums[top].sum()} of {sums[bottom].sum()}, {counted(len(sums), 'patient')}: "
                yield _row(name, set_name, share, value, share_difference(ours, theirs, top, bottom), [], count)


def _of_set(scored: pd.DataFrame, set_name: str) -> pd.DataFrame:
    return scored[scored["set"] == set_name]


def _row(
    name: str, set_name: str, score: str, value: Interval, less: Interval, seeds: Sequence[str], count: str = ""
) -> tuple[str, ...]:
    compared = ("", "") if name == CONTROL else (_shown(less, "+.3f"), ", ".join(seeds))
    return (name, set_name, score, count + _shown(value, ".3f"), *compared)


def _shown(found: Interval, form: str) -> str:
    if found.estimate is None:
        return "none"
    if found.low is not None:
        bounds = f" [{found.low:{form}}, {found.high:{form}}]"
    else:
        equal = found.method is Method.EQUAL
        bounds = " (all equal)" if equal else f" ({counted(found.units, 'patient')}: no interval)"
    return f"{found.estimate:{form}}{bounds}"


def _patient_means(scored: pd.DataFrame, score: str) -> pd.Series:
    """Mean of each patient's cases and seeds."""
    return scored.groupby("patient")[score].mean()


def difference(ours: pd.DataFrame, theirs: pd.DataFrame, score: str) -> Interval:
    """Paired difference of a score over patients."""
    return mean_interval((_patient_means(ours, score) - _patient_means(theirs, score)).to_numpy(), Scale.DIFFERENCE)


def share_difference(ours: pd.DataFrame, theirs: pd.DataFrame, top: str, bottom: str) -> Interval:
    """Paired difference of a share over the patients in whom both have something to count."""
    ratios = []
    for one in (ours, theirs):
        sums = one.groupby("patient")[[top, bottom]].sum()
        ratios.append(sums[top] / sums[bottom].where(sums[bottom] > 0))
    return mean_interval((ratios[0] - ratios[1]).to_numpy(), Scale.DIFFERENCE)
