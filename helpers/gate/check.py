"""Whether scores fell below a baseline: case by case, and in the mean over patients."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import RefusedInput
from helpers.evaluation.aggregation import patient_means, unit_of
from helpers.evaluation.case_scores import Outcome
from helpers.evaluation.definitions import BY_METRIC
from helpers.evaluation.intervals import mean_interval
from helpers.gate.baseline import METRICS, Scores

CASE_TOLERANCE = 0.10
MEAN_TOLERANCE = 0.01


@dataclass(frozen=True)
class Findings:
    """What the gate found; it is passed where there is none.

    Attributes:
        problems: sentences, without names but case ids.
        notes: what was compared, whatever came out.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.problems

    def to_text(self) -> str:
        """All of it, the verdict last."""
        verdict = "passed" if self.passed else f"failed: {len(self.problems)} findings"
        return "\n".join([*self.notes, *(f"- {problem}" for problem in self.problems), f"gate {verdict}"])


def check(
    baseline: Scores, now: Scores, *, case_tolerance: float = CASE_TOLERANCE, mean_tolerance: float = MEAN_TOLERANCE
) -> Findings:
    """Hold scores against a baseline, on the cases of both.

    A mean is too low where it fell by more than `mean_tolerance` and the paired interval of the difference, over the
    means of patients (else sequences, else cases), lies below 0; where there are too few units for an interval, the
    fall alone decides.

    Args:
        case_tolerance: largest fall of a case, in the unit of the metric, 0 .. 1.
    Raises:
        RefusedInput: where TRAINING patients were left out of one of the two alone: they are other scores then.
    """
    _require_same_patients(baseline, now)
    problems = _configuration(baseline, now)
    before, after = (scores.cases.set_index("case_id", drop=False) for scores in (baseline, now))
    lost = [case_id for case_id in before.index if case_id not in after.index]
    problems += [f"{case_id}: scored in the baseline, and not now" for case_id in lost]
    shared = [case_id for case_id in before.index if case_id in after.index]
    notes = [f"baseline: {baseline.title}", f"now: {now.title}"]
    notes += [f"{len(shared)} of {len(before)} cases compared; {len(after) - len(shared)} new ones left out"]
    if not shared:
        return Findings((*problems, "no case of the baseline is among the scores"), tuple(notes))
    before, after = before.loc[shared].reset_index(drop=True), after.loc[shared].reset_index(drop=True)
    failed = (before["outcome"] == Outcome.SCORED) & (after["outcome"] != Outcome.SCORED)
    problems += [f"{row.case_id}: had a mask in the baseline, now {row.outcome}" for row in after[failed].itertuples()]
    for metric in METRICS:
        title = BY_METRIC[metric].title
        fall = before[metric] - after[metric]
        for place in np.flatnonzero(fall > case_tolerance):
            problems.append(
                f"{shared[place]}: {title} fell from {before[metric][place]:.3f} to {after[metric][place]:.3f}, more "
                f"than {case_tolerance:g}"
            )
        problem, note = _mean(before, after, metric, mean_tolerance)
        problems += [problem] if problem else []
        notes.append(note)
    return Findings(tuple(problems), tuple(notes))


def _require_same_patients(baseline: Scores, now: Scores) -> None:
    if baseline.excluded != now.excluded:
        words = {True: "without TRAINING patients (--exclude-training)", False: "with all patients"}
        raise RefusedInput(
            f"expected scores of the same patients: the baseline was made {words[baseline.excluded]}, these scores "
            f"{words[now.excluded]}. Evaluate as the baseline was, or record these with --update"
        )


def _configuration(baseline: Scores, now: Scores) -> list[str]:
    names = sorted(set(baseline.configuration) | set(now.configuration))
    pairs = [(name, baseline.configuration.get(name), now.configuration.get(name)) for name in names]
    return [
        f"{name}: the baseline has {json.dumps(old)}, this run {json.dumps(new)}"
        for name, old, new in pairs
        if old != new
    ]


def _mean(before: pd.DataFrame, after: pd.DataFrame, metric: str, tolerance: float) -> tuple[str | None, str]:
    """A finding or None, and what was compared."""
    differences = before.assign(**{metric: after[metric] - before[metric]})
    interval = mean_interval(patient_means(differences, [metric])[metric].to_numpy())
    title, bounds = BY_METRIC[metric].title, "no interval"
    if interval.low is not None:
        bounds = f"95 % interval [{interval.low:+.4f}, {interval.high:+.4f}]"
    note = f"{title}: mean change {interval.estimate:+.4f}, {bounds}, {interval.units} {unit_of(before)}s"
    certain = interval.high is None or interval.high < 0
    if interval.estimate < -tolerance and certain:
        return f"{title}: the mean fell by {-interval.estimate:.4f}, more than {tolerance:g} ({bounds})", note
    return None, note
