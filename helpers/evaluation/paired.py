"""Two runs on the same cases: differences with intervals and tests, on the means of independent units."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd

from helpers.core.errors import RefusedInput
from helpers.evaluation.leakage.standing import trained_units
from helpers.evaluation.score_table import Unit, capped, patient_means, table_of, unit_means, unit_of
from helpers.metrics.definitions import BY_METRIC, COMPARED, DISTANCES, Better
from helpers.metrics.intervals import DRAWS, FEWEST_UNITS, SEED, Scale, mean_interval
from helpers.metrics.significance import holm, sign_flip_p, wilcoxon_p


class CaseChange(StrEnum):
    """How a case fares against the other run."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"


@dataclass(frozen=True)
class Pairing:
    """The cases that two runs share.

    Attributes:
        first, second: tables of scores with the same cases in the same order.
        only_first, only_second: ids of cases left out, since the other run was not scored on them.
        identical: ids of cases whose two masks are the same to the pixel.
    """

    first: pd.DataFrame = field(repr=False)
    second: pd.DataFrame = field(repr=False)
    only_first: tuple[str, ...] = field(repr=False)
    only_second: tuple[str, ...] = field(repr=False)
    identical: tuple[str, ...] = field(repr=False)

    @property
    def all_identical(self) -> bool:
        """Whether the runs hold the same masks: then there is nothing to compare."""
        return len(self.identical) == len(self.first)


def pair(first: pd.DataFrame, second: pd.DataFrame) -> Pairing:
    """Match two tables of scores by case id.

    Raises:
        RefusedInput: where they share no case, or disagree on a case's ground truth, sequence or patient.
    """
    left, right = first.set_index("case_id", drop=False), second.set_index("case_id", drop=False)
    shared = [case for case in left.index if case in right.index]
    if not shared:
        raise RefusedInput(
            f"expected runs that share cases, found none in common among {len(left)} and {len(right)}. "
            "Evaluate both on the same data set and split"
        )
    one, other = left.loc[shared].reset_index(drop=True), right.loc[shared].reset_index(drop=True)
    _check_same_truth(one, other)
    same = one["prediction_digest"] == other["prediction_digest"]
    return Pairing(
        first=one,
        second=other,
        only_first=tuple(case for case in left.index if case not in right.index),
        only_second=tuple(case for case in right.index if case not in left.index),
        identical=tuple(one["case_id"][same]),
    )


def compare(
    pairing: Pairing, metrics: tuple[str, ...] = COMPARED, *, draws: int = DRAWS, seed: int = SEED
) -> pd.DataFrame:
    """Differences, second run less first, in the means of units.

    Args:
        metrics: those that the family of tests consists of; Holm's correction is over them, so fix them beforehand.
    Returns:
        One row for each metric that some case has in both runs: metric, first and second (means of unit means over
        those cases), difference, low, high (NaN where unknown), interval (its name), few, unit, independent, n_units
        and n_cases (of those cases), unit_means (the difference of each unit, where they are too few for an interval),
        n_tested (where training saw a unit), of a distance also first_median, second_median (over cases) and
        first_n_infinite, second_n_infinite (cases at the cap; NaN for other metrics), p_sign_flip, p_wilcoxon, and both
        corrected: p_sign_flip_holm, p_wilcoxon_holm. Tests leave out units of which the training of either run saw
        frames. With fewer than 10 others, or where all masks are identical, all p-values are NaN: none is to be
        printed.
    """
    unit = unit_of(pairing.first)
    first, second = capped(pairing.first), capped(pairing.second)
    trained = trained_units((pairing.first, pairing.second))
    rows = []
    for metric in metrics:
        # A case that only one run defines (precision of an empty mask) would compare means over different cases.
        defined = first[metric].notna() & second[metric].notna()
        if not defined.any():
            continue
        before = _unit_values(first, metric, defined)
        after = _unit_values(second, metric, defined)
        differences = pd.Series(after.to_numpy() - before.to_numpy(), before.index)
        interval = mean_interval(differences.to_numpy(), Scale.DIFFERENCE)
        untrained = differences[~differences.index.isin(trained)].to_numpy()
        tested = len(untrained) >= FEWEST_UNITS and not pairing.all_identical
        rows.append(
            {
                "metric": metric,
                "first": before.to_numpy().mean(),
                "second": after.to_numpy().mean(),
                **interval.row("difference"),
                "unit": str(unit),
                "independent": unit is Unit.PATIENT,
                "n_units": interval.units,
                "unit_means": unit_means(differences.index, differences.to_numpy()),
                "n_cases": int(defined.sum()),
                **({"n_tested": len(untrained)} if trained else {}),
                **(_of_cases(pairing, (first, second), metric, defined) if metric in DISTANCES else {}),
                "p_sign_flip": sign_flip_p(untrained, draws=draws, seed=seed) if tested else np.nan,
                "p_wilcoxon": wilcoxon_p(untrained) if tested else np.nan,
            }
        )
    table = table_of(rows)
    for column in ("p_sign_flip", "p_wilcoxon"):
        table[f"{column}_holm"] = holm(table[column].to_numpy())
    return table


def turned(compared: pd.DataFrame) -> pd.DataFrame:
    """A table of `compare` with its two runs in the other order: the first less the second. Tests have two sides."""
    names = {name: f"second{name.removeprefix('first')}" for name in compared if name.startswith("first")}
    table = compared.rename(columns={**names, **{second: first for first, second in names.items()}})
    table = table.assign(difference=0.0 - table["difference"], low=0.0 - compared["high"], high=0.0 - compared["low"])
    return table[list(compared.columns)]


def _of_cases(
    pairing: Pairing, capped_tables: tuple[pd.DataFrame, pd.DataFrame], metric: str, defined: pd.Series
) -> dict[str, float]:
    """Of the cases that a distance is compared on: its median in each run, and the number at the cap."""
    values: dict[str, float] = {}
    for name, table, bounded in zip(("first", "second"), (pairing.first, pairing.second), capped_tables, strict=True):
        values[f"{name}_median"] = float(bounded[metric][defined].median())
        values[f"{name}_n_infinite"] = int(np.isinf(table[metric][defined]).sum())
    return values


def changes(pairing: Pairing, metric: str = "dice", tolerance: float = 0.0) -> pd.DataFrame:
    """Which cases got better or worse from the first run to the second, the worst first.

    Args:
        tolerance: differences up to this are `SAME`.
    Returns:
        Columns case_id, first, second, difference, change. Infinite distances are capped; cases where the metric is
        undefined in either run are left out.
    """
    before, after = capped(pairing.first)[metric], capped(pairing.second)[metric]
    difference = after - before
    gain = difference if BY_METRIC[metric].better is Better.HIGHER else -difference
    verdict = np.select([gain > tolerance, gain < -tolerance], [CaseChange.BETTER, CaseChange.WORSE], CaseChange.SAME)
    table = pd.DataFrame(
        {
            "case_id": pairing.first["case_id"],
            "first": before,
            "second": after,
            "difference": difference,
            "change": [str(word) for word in verdict],
        }
    )
    order = gain[gain.notna()].sort_values(kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _unit_values(table: pd.DataFrame, metric: str, defined: pd.Series) -> pd.Series:
    """Means of units over the cases marked in `defined`, by the unit; units without such a case are left out."""
    kept = table.assign(**{metric: table[metric].where(defined)})
    return patient_means(kept, [metric]).set_index("patient")[metric].dropna()


def _check_same_truth(one: pd.DataFrame, other: pd.DataFrame) -> None:
    same = (
        (one["tp"] + one["fn"] == other["tp"] + other["fn"])
        & (one["height"] == other["height"])
        & (one["width"] == other["width"])
    )
    for name in ("sequence", "patient"):
        same &= (one[name] == other[name]) | (one[name].isna() & other[name].isna())
    if not same.all():
        raise RefusedInput(
            f"case {one['case_id'][~same].iloc[0]}: the two tables disagree on its ground truth, sequence or patient. "
            "Evaluate both runs on the same version of the data set"
        )
