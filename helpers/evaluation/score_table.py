"""From the scores of cases to one number: the table, then frame, sequence, patient, and the mean over patients."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from helpers.core.errors import RefusedInput
from helpers.core.versions import version
from helpers.data.groups.name_parts import Spellings
from helpers.metrics.case_scores import CaseScores, CaseScoring
from helpers.metrics.definitions import BY_METRIC, DEFINITIONS, DISTANCES, METRICS
from helpers.metrics.intervals import FEWEST_FOR_INTERVAL, Scale, mean_interval, ratio_interval
from helpers.metrics.reference_bounds import ReferenceBounds

# Column of a table of scores where ids of patients are spellings of one: the id that each counts under.
UNITED = "united"


def scores_table(scores: Iterable[CaseScores]) -> pd.DataFrame:
    """One row for each case, in the order given: ids, outcome, size, counts, digest, then every metric.

    Raises:
        RefusedInput: where a case id comes twice, or there is no case.
    """
    table = pd.DataFrame([case.row() for case in scores])
    if table.empty:
        raise RefusedInput("expected at least one case to score, found none. Check the data set and the split")
    twice = table["case_id"][table["case_id"].duplicated()]
    if len(twice):
        raise RefusedInput(f"case {twice.iloc[0]}: expected each case once, found it again. Remove the copy")
    return table.astype({"sequence": object, "patient": object})


def definitions() -> pd.DataFrame:
    """One row for each metric: what `Definition` says for people, with `computed_by`: packages and versions."""
    rows = []
    for definition in DEFINITIONS:
        row = asdict(definition)
        packages, _ = row.pop("packages"), row.pop("scale")
        rows.append({**row, "computed_by": ", ".join(f"{name} {version(name)}" for name in packages)})
    return pd.DataFrame(rows).astype(str)


def reference_bound_means(listed: pd.DataFrame, scores: pd.DataFrame) -> dict[str, float]:
    """The mean of each reference bound, averaged like the scores: over cases, sequences, then patients.

    Args:
        listed: columns case_id and the fields of `ReferenceBounds`.
        scores: table of scores of the same cases; it says which patient and sequence each belongs to.
    """
    names = [field.name for field in fields(ReferenceBounds)]
    keyed = scores[unit_columns(scores)].merge(listed, on="case_id", validate="one_to_one")
    return {name: float(mean) for name, mean in patient_means(keyed, names)[names].mean().items()}


class Unit(StrEnum):
    """What is taken as independent."""

    PATIENT = "patient"
    SEQUENCE = "sequence"
    CASE = "case"


@dataclass(frozen=True)
class SampleSizes:
    """How much a number rests on. `sequences` and `patients` are None where they are not known for every case."""

    cases: int
    sequences: int | None
    patients: int | None


def unit_of(table: pd.DataFrame) -> Unit:
    """The largest unit that is known for every case of a table of scores.

    Only patients are known to be independent; a table of sequences or cases may count a patient several times.
    """
    for unit in (Unit.PATIENT, Unit.SEQUENCE):
        if table[unit].notna().all():
            return unit
    return Unit.CASE


def unit_keys(table: pd.DataFrame) -> pd.Series:
    """The independent unit of each case of a table of scores, see `unit_of`; str, under the table's index."""
    return keys_of(table, unit_of(table))


def keys_of(table: pd.DataFrame, unit: Unit) -> pd.Series:
    """The unit of each case of a table of scores; str, under the table's index. Spellings of a patient are one unit."""
    if unit is Unit.PATIENT:
        return table[UNITED if UNITED in table else "patient"]
    return table["case_id" if unit is Unit.CASE else "sequence"]


def unit_columns(table: pd.DataFrame) -> list[str]:
    """The columns of a table of scores that say which unit a case is of."""
    return [name for name in ("case_id", "sequence", "patient", UNITED) if name in table]


def with_united(table: pd.DataFrame, spellings: Spellings) -> pd.DataFrame:
    """The table with a column `united` where ids of its patients are spellings of one; else as it is."""
    if not spellings.among(table["patient"].dropna())[0]:
        return table
    return table.assign(**{UNITED: table["patient"].map(spellings.of, na_action="ignore").astype(object)})


def sizes(table: pd.DataFrame) -> SampleSizes:
    """Numbers of cases, sequences and patients in a table of scores."""
    pairs = pd.DataFrame({"patient": table["patient"], "sequence": table["sequence"]}).drop_duplicates()
    counted = [len(pairs), keys_of(table, Unit.PATIENT).nunique()]
    known = [table[name].notna().all() for name in ("sequence", "patient")]
    sequences, patients = (number if whole else None for number, whole in zip(counted, known, strict=True))
    return SampleSizes(cases=len(table), sequences=sequences, patients=patients)


def capped(table: pd.DataFrame) -> pd.DataFrame:
    """The table with infinite distances replaced by the diagonal of the frame, the largest distance it can hold."""
    diagonals = {
        "px": np.hypot(table["height"], table["width"]),
        "mm": np.hypot(table["height"] * table["pixel_height_mm"], table["width"] * table["pixel_width_mm"]),
    }
    return table.assign(
        **{name: table[name].where(~np.isinf(table[name]), diagonals[BY_METRIC[name].unit]) for name in DISTANCES}
    )


def both_empty(table: pd.DataFrame) -> pd.Series:
    """Whether neither ground truth nor mask of a case holds a pixel; bool, under the table's index.

    Dice is 1 there, and nothing is to be seen: such a case is neither among the best nor among the worst.
    """
    return table["tp"] + table["fp"] + table["fn"] == 0


def sequence_means(table: pd.DataFrame, columns: Sequence[str] = METRICS) -> pd.DataFrame:
    """Mean of each column over the cases of a sequence: columns `patient`, `sequence`, then those averaged.

    A case without a sequence is a sequence of its own. NaN is left out of a mean; infinite distances must have been
    capped, see `capped`.
    """
    keyed = table.assign(sequence=_sequence_keys(table), patient=unit_keys(table))
    return keyed.groupby(["patient", "sequence"], sort=False)[list(columns)].mean().reset_index()


def patient_means(table: pd.DataFrame, columns: Sequence[str] = METRICS) -> pd.DataFrame:
    """Mean of each column over the sequences of a patient: columns `patient`, then those averaged.

    Where patients are not known for all cases, the largest unit that is takes their place; see `unit_of`.
    """
    return sequence_means(table, columns).groupby("patient", sort=False)[list(columns)].mean().reset_index()


def unit_means(units: Iterable[object], values: np.ndarray) -> dict[str, float] | None:
    """Unit -> its mean, where the units are too few for an interval; None where they are not, or there is none.

    Args:
        values: one for each unit, float (n,); NaN, an undefined one, is left out.
    """
    each = {str(unit): float(value) for unit, value in zip(units, values, strict=True) if not math.isnan(value)}
    return each if 0 < len(each) < FEWEST_FOR_INTERVAL else None


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean of patient means of every metric with its interval, and what it rests on: one row for each metric.

    Columns: metric, mean, low, high (NaN where unknown), interval (its name), few (too few units for a p-value), unit,
    independent (whether units are known to be so), n_units, unit_means (of each unit, where there are too few for an
    interval), n_cases, n_sequences, n_patients (missing where unknown),
    median (over cases, each with the same weight, a capped one at its frame's diagonal: what a few capped cases do not
    move), n_undefined (cases left out of mean and median), n_infinite (cases capped), n_failed (scored as an empty
    mask).
    """
    cases = capped(table)
    means = patient_means(cases)
    intervals = {metric: mean_interval(means[metric].to_numpy(), BY_METRIC[metric].scale) for metric in METRICS}
    rows = [
        {
            "metric": metric,
            **interval.row(),
            "n_units": interval.units,
            "unit_means": unit_means(means["patient"], means[metric].to_numpy()),
            "median": cases[metric].median(),
            "n_undefined": int(table[metric].isna().sum()),
            "n_infinite": int(np.isinf(table[metric]).sum()),
        }
        for metric, interval in intervals.items()
    ]
    return _with_context(table_of(rows), table)


def summary_of_scored(table: pd.DataFrame) -> pd.DataFrame | None:
    """`summary` of the cases that had a mask; None where none had. It stands beside the headline, never for it."""
    scored = table[table["outcome"] == CaseScoring.SCORED]
    return None if scored.empty else summary(scored)


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """The two numbers of the RefCOCO protocol, with intervals over whole units.

    `ciou`: intersections summed over all cases by unions summed over all cases. `giou`: mean of the IoU of cases, each
    case with the same weight; empty masks as in the table of empty masks. Columns as in `summary`, without the median.
    """
    parts = pd.DataFrame(
        {
            "both": table["tp"],
            "either": table["tp"] + table["fp"] + table["fn"],
            "iou": table["iou"],
            "cases": 1,
        }
    )
    sums = parts.groupby(unit_keys(table).to_numpy(), sort=False).sum()
    rows = []
    for name, top, bottom in (("ciou", "both", "either"), ("giou", "iou", "cases")):
        interval = ratio_interval(sums[top].to_numpy(), sums[bottom].to_numpy(), Scale.SHARE)
        rows.append({"metric": name, **interval.row(), "n_units": interval.units})
    return _with_context(table_of(rows).assign(n_undefined=0, n_infinite=0), table)


def table_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A table of JSON objects: None becomes NaN, and NA in counts that may be unknown. `records_of` turns it back."""
    table = pd.DataFrame(rows)
    counts = {name: "Int64" for name in ("n_sequences", "n_patients") if name in table}
    empty = {name: float for name in table if name not in counts and table[name].isna().all()}
    return table.astype({**counts, **empty})


def records_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON objects, with None for what is missing or not a finite number."""
    return [{name: _json_value(value) for name, value in row.items()} for row in table.to_dict("records")]


def _json_value(value: Any) -> Any:
    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def _with_context(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Add what is the same for all rows of a summary."""
    unit, counted = unit_of(table), sizes(table)
    return rows.assign(
        unit=str(unit),
        independent=unit is Unit.PATIENT,
        n_cases=counted.cases,
        n_sequences=pd.array([counted.sequences] * len(rows), dtype="Int64"),
        n_patients=pd.array([counted.patients] * len(rows), dtype="Int64"),
        n_failed=int((table["outcome"] != CaseScoring.SCORED).sum()),
    )


def _sequence_keys(table: pd.DataFrame) -> pd.Series:
    return table["sequence"].where(table["sequence"].notna(), table["case_id"])
