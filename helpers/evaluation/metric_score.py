"""One number of an evaluation with its interval, and what it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from helpers.core.errors import UsageProblem
from helpers.core.shown_text import counted
from helpers.evaluation.equal_masks import equal_masks_clause
from helpers.evaluation.leakage.standing import title_of
from helpers.metrics.definitions import BY_METRIC
from helpers.metrics.intervals import FEWEST_UNITS

POOLED_TITLES = {"ciou": "cIoU", "giou": "gIoU"}


@dataclass(frozen=True)
class MetricScore:
    """A run's score in one metric.

    Attributes:
        metric: such as `dice`, see docs/metrics.md; `ciou` and `giou` are pooled over cases.
        run: name of the run in the evaluation's tables.
        mean: of the means of patients; None where it is defined for no case.
        low, high: ends of the 95 % interval; None where there are fewer than five units, or all are equal.
        unit: what is taken as independent: `patient`, else `sequence`, else `case`.
        n_units: how many of them have a value.
        n_patients: None where patients are not known for every case.
        n_cases: number of scored cases.
        standing: how the patients stand to the training data, for people; in front of it, how many of the run's masks
            equal the ground truth to the pixel, where some do.
    """

    metric: str
    run: str
    mean: float | None
    low: float | None
    high: float | None
    unit: str
    n_units: int
    n_patients: int | None
    n_cases: int
    standing: str

    def __str__(self) -> str:
        """`model: Dice 0.812 [0.790, 0.834], 96 cases of 12 patients; ...`; a score without an interval says why."""
        title = POOLED_TITLES.get(self.metric) or BY_METRIC[self.metric].title
        cases = counted(self.n_cases, "case")
        rests = f"{cases} of {counted(self.n_units, self.unit)}" if self.unit != "case" else cases
        if self.mean is None:
            return f"{self.run}: {title} is defined for none of {rests}; {self.standing}"
        few = f" (fewer than {FEWEST_UNITS})" if self.n_units < FEWEST_UNITS else ""
        interval = "no interval" if self.low is None else f"[{self.low:.3f}, {self.high:.3f}]"
        return f"{self.run}: {title} {self.mean:.3f} {interval}, {rests}{few}; {self.standing}"

    __repr__ = __str__


def score_in(summary: Mapping[str, Any], metric: str, run: str | None = None) -> MetricScore:
    """The score of a run in an evaluation.

    Args:
        summary: as `summary.json` holds it, docs/metrics-format.md.
        metric: name of a metric, as in the table of `docs/metrics.md`, or `ciou` or `giou`.
        run: its name in the evaluation; None for the first.
    Raises:
        UsageProblem: where the evaluation has no such run or metric.
    """
    runs = {one["name"]: one for one in summary["runs"]}
    name = next(iter(runs)) if run is None else run
    if name not in runs:
        raise UsageProblem(f"run: expected one of {', '.join(runs)}, got {run!r}")
    rows = {row["metric"]: row for row in (*runs[name]["summary"], *runs[name]["pooled"])}
    if metric not in rows:
        raise UsageProblem(f"metric: expected one of {', '.join(rows)}, got {metric!r}")
    row = rows[metric]
    kept = {key: row[key] for key in ("mean", "low", "high", "unit", "n_units", "n_patients", "n_cases")}
    standing = "; ".join(filter(None, (equal_masks_clause(summary, name), title_of(summary, name))))
    return MetricScore(metric=metric, run=name, standing=standing, **kept)
