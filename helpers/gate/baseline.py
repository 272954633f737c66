"""The scores that later ones are held against: a small JSON file (docs/gate.md), made from a metrics folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.atomic import write_json_atomic
from helpers.errors import RefusedInput
from helpers.evaluation.aggregation import UNITED
from helpers.evaluation.metrics_folder import Metrics
from helpers.evaluation.standing import COLUMN as STANDING
from helpers.evaluation.standing import UNKNOWN_TITLE

SCHEMA, SCHEMA_VERSION = "vesselkit.gate", 2
_READ = (1, SCHEMA_VERSION)  # 1 does not know how patients stand to training data
METRICS = ("dice", "cldice")

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
        title: whose scores these are, see `helpers.evaluation.standing`.
    """

    configuration: Mapping[str, Any]
    cases: pd.DataFrame = field(repr=False)
    excluded: bool = False
    title: str = UNKNOWN_TITLE


def scores_of(metrics: Metrics) -> Scores:
    """What the gate looks at in a metrics folder: its first run."""
    run = metrics.summary["runs"][0]
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
    write_json_atomic(
        path,
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
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
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        found = (values["schema"], values["schema_version"])
        added = [name for name in _ADDED if any(name in case for case in values["cases"])]
        cases = pd.DataFrame(values["cases"], columns=[*_COLUMNS, *added])
        scores = Scores(
            dict(values["configuration"]),
            cases.astype(dict.fromkeys(METRICS, float)),
            bool(values.get("exclude_training", False)),
            str(values.get("title", UNKNOWN_TITLE)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RefusedInput(f"{path}: expected a baseline of the gate ({error!r}). Write it with --update") from error
    if found[0] != SCHEMA or found[1] not in _READ:
        raise RefusedInput(f"{path}: expected {SCHEMA} version {SCHEMA_VERSION}, found {found[0]} version {found[1]}")
    if cases.empty or cases["case_id"].duplicated().any():
        raise RefusedInput(f"{path}: expected each of its cases once, and one at least. Write it with --update")
    return scores
