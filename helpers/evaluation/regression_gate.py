"""The regression gate: a small file of recorded scores, and whether later ones fell below it (docs/gate.md)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.core.documents import read_document, refuse_damaged, write_document
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.evaluation.edit_distance import EDIT_TITLE
from helpers.evaluation.edit_distance import KEY as EDIT_DISTANCE
from helpers.evaluation.equal_masks import equal_masks_clause, equal_masks_of, is_copy
from helpers.evaluation.leakage.standing import COLUMN as STANDING
from helpers.evaluation.leakage.standing import UNKNOWN_TITLE
from helpers.evaluation.markdown import EQUAL_UNITS
from helpers.evaluation.metrics_folder import Metrics
from helpers.evaluation.score_table import UNITED, patient_means, unit_of
from helpers.metrics.case_scores import CaseScoring
from helpers.metrics.definitions import BY_METRIC
from helpers.metrics.intervals import Method, Scale, mean_interval

CASE_TOLERANCE = 0.10
MEAN_TOLERANCE = 0.01
SCHEMA, SCHEMA_VERSION = "vesselkit.gate", 2
_READ = (1, SCHEMA_VERSION)  # 1 does not know how patients stand to training data
METRICS = ("dice", "cldice")
_RECORD = "Write it with --update"

# Whatever else decides the masks of a given model: where it differs, scores are not those of the model alone.
_CONFIGURATION = ("prompt", "threshold", "combine", "limit", "predictor")
_COLUMNS = ("case_id", "sequence", "patient", "outcome", *METRICS)
_ADDED = (STANDING, UNITED)  # where the metrics have it


@dataclass(frozen=True)
class Scores:
    """The scores of one run and what they were made with.

    Attributes:
        configuration: prompt, threshold, combine, limit, predictor settings, and the hashes of the data's listing
            and of its pixels; what was decided about the ground truth, where something was.
        cases: `case_id`, `sequence`, `patient` (None where unknown), `outcome`, one column for each of `METRICS`, and
            where it is known `training`, how the patient stands to the model's training data, and `united`, where ids
            are spellings of one patient.
        excluded: whether patients of whom training saw frames were left out.
        title: whose scores these are, see `helpers.evaluation.leakage.standing`.
    """

    configuration: Mapping[str, Any]
    cases: pd.DataFrame = field(repr=False)
    excluded: bool = False
    title: str = UNKNOWN_TITLE


def scores_of(metrics: Metrics) -> Scores:
    """What the gate looks at in a metrics folder: its first run. Raises RefusedInput where it has no headline."""
    run = metrics.summary["runs"][0]
    if run.get(EDIT_DISTANCE):
        raise RefusedInput(
            f"{metrics.folder}: expected scores, found the {EDIT_TITLE}: the ground truth of "
            f"{counted(run[EDIT_DISTANCE]['cases'], 'case')} began from the masks of run {run['name']}. Score other "
            "cases"
        )
    if is_copy(equal_masks_of(metrics.summary, run["name"])):
        raise RefusedInput(
            f"{metrics.folder}: expected scores of masks that were made apart from the ground truth, but of run "
            f"{run['name']} {equal_masks_clause(metrics.summary, run['name'])}. Check where both come from"
        )
    configuration = {name: run[name] for name in _CONFIGURATION}
    configuration["listing_sha256"] = (run["dataset"] or {}).get("listing_sha256")
    configuration["images_sha256"] = run.get("data_sha256")
    rules = metrics.summary["dataset"].get("rules")
    if rules:  # earlier baselines have none, as data sets of which nothing was decided
        configuration["truth_rules"] = rules
    table = metrics.scores(run["name"])
    standing = metrics.summary.get("standing") or {"excluded": False, "runs": []}
    title = next((one["title"] for one in standing["runs"] if one["run"] == run["name"]), UNKNOWN_TITLE)
    columns = [*_COLUMNS, *(name for name in _ADDED if name in table)]
    return Scores(configuration, table[columns], standing["excluded"], title)


def write_baseline(path: Path, scores: Scores) -> None:
    """Write scores as a baseline, in a folder that is made where it is missing; an earlier one is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = scores.cases.astype(object).where(scores.cases.notna(), None)
    write_document(
        path,
        SCHEMA,
        SCHEMA_VERSION,
        {
            "configuration": dict(scores.configuration),
            "exclude_training": scores.excluded,
            "title": scores.title,
            "cases": cases.to_dict("records"),
        },
    )


def read_baseline(path: Path) -> Scores:
    """Read a baseline.

    Raises:
        RefusedInput: where the file is none, of another version, or holds a case twice or none at all.
    """
    values = read_document(path, SCHEMA, _READ, ("configuration", "cases"), _RECORD)
    with refuse_damaged(path, SCHEMA, _READ, _RECORD):
        added = [name for name in _ADDED if any(name in case for case in values["cases"])]
        cases = pd.DataFrame(values["cases"], columns=[*_COLUMNS, *added])
        scores = Scores(
            dict(values["configuration"]),
            cases.astype(dict.fromkeys(METRICS, float)),
            bool(values.get("exclude_training", False)),
            str(values.get("title", UNKNOWN_TITLE)),
        )
    if cases.empty or cases["case_id"].duplicated().any():
        raise RefusedInput(f"{path}: expected each of its cases once, and one at least. {_RECORD}")
    return scores


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
        verdict = "passed" if self.passed else f"failed: {counted(len(self.problems), 'finding')}"
        return "\n".join([*self.notes, *(f"- {problem}" for problem in self.problems), f"gate {verdict}"])


def check(
    baseline: Scores, now: Scores, *, case_tolerance: float = CASE_TOLERANCE, mean_tolerance: float = MEAN_TOLERANCE
) -> Findings:
    """Compare scores with a baseline, on the cases of both.

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
    notes += [f"{len(shared)} of {counted(len(before), 'case')} compared; {len(after) - len(shared)} new ones left out"]
    if not shared:
        return Findings((*problems, "no case of the baseline is among the scores"), tuple(notes))
    before, after = before.loc[shared].reset_index(drop=True), after.loc[shared].reset_index(drop=True)
    failed = (before["outcome"] == CaseScoring.SCORED) & (after["outcome"] != CaseScoring.SCORED)
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
    interval = mean_interval(patient_means(differences, [metric])[metric].to_numpy(), Scale.DIFFERENCE)
    title, bounds = BY_METRIC[metric].title, "no interval"
    if interval.method is Method.EQUAL:
        bounds += f", {EQUAL_UNITS}"
    if interval.low is not None:
        bounds = f"95 % interval [{interval.low:+.4f}, {interval.high:+.4f}]"
    note = f"{title}: mean change {interval.estimate:+.4f}, {bounds}, {interval.units} {unit_of(before)}s"
    certain = interval.high is None or interval.high < 0
    if interval.estimate is not None and interval.estimate < -tolerance and certain:
        return f"{title}: the mean fell by {-interval.estimate:.4f}, more than {tolerance:g} ({bounds})", note
    return None, note
