"""A run's logits beyond its own threshold: one locked on other patients, reliability, and a temperature."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.dataset import Dataset
from helpers.evaluation.chosen_threshold import (
    LockedThreshold,
    cross_validated,
    on_development,
    require_apart,
    threshold_curves,
    unit_histograms,
)
from helpers.evaluation.metrics_folder import Metrics, open_metrics
from helpers.evaluation.scored_runs import ScoredRun
from helpers.metrics.calibration import (
    Calibration,
    TemperatureScaling,
    calibration,
    scaled_by_folds,
    scaled_on_development,
)
from helpers.metrics.intervals import Interval
from helpers.metrics.threshold_curve import ChosenBy, LogitHistogram, is_flat

CURVE_COLUMNS = ("run", "metric", "threshold", "mean", "low", "high")
RELIABILITY_COLUMNS = ("run", "scaled", "predicted", "observed", "pixels")

# Facts of a run's model and predictor that differ from one set of cases to the next.
_OF_THE_CASES = frozenset(("masks_sha256", "missing"))
_DECIDING = ("prompt", "model", "predictor", "combine")


@dataclass(frozen=True)
class Scored:
    """The scores of one run on some cases.

    Attributes:
        table: of scores.
        histograms: by case id, of the cases that have logits.
    """

    table: pd.DataFrame = field(repr=False)
    histograms: Mapping[str, LogitHistogram] = field(repr=False)


@dataclass(frozen=True)
class OperatingPoint:
    """The results for one run.

    Attributes:
        record: as `studies` of the summary holds it, see docs/metrics-format.md.
        curves: columns `CURVE_COLUMNS`.
        reliability: columns `RELIABILITY_COLUMNS`, before and after scaling.
    """

    record: dict[str, Any] = field(repr=False)
    curves: pd.DataFrame = field(repr=False)
    reliability: pd.DataFrame = field(repr=False)


def open_development(
    folder: Path, scored_runs: Sequence[ScoredRun], dataset: Dataset, case_ids: Sequence[str]
) -> dict[str, Scored]:
    """Scores of the same models on cases that parameters may be chosen on: an earlier metrics folder.

    Args:
        case_ids: that are to be scored.
    Returns:
        Name of a scored run -> what the folder has of its model, prompt, predictor and combination. A scored run
        without any is left out.
    Raises:
        RefusedInput: where the first scored run is left out, ids come from another key, patients are sealed, logits are
            lacking, or a case, sequence or patient would be on both sides.
    """
    metrics = open_metrics(folder)
    key = metrics.summary["dataset"]["key_fingerprint"]
    if key != dataset.key_fingerprint:
        raise RefusedInput(
            f"{folder}: expected case ids from key {dataset.key_fingerprint}, found {key}: "
            "it is unclear whether patients are on both sides. Evaluate the development cases "
            "under the same key (--id-key)"
        )
    _require_unsealed(metrics, dataset)
    found = {}
    for scored_run in scored_runs:
        name = _same_model(scored_run, metrics)
        if name is not None:
            found[scored_run.name] = Scored(metrics.scores(name), metrics.histograms(name))
    first = scored_runs[0].name
    if first not in found:
        raise RefusedInput(
            f"{folder}: expected the model and prompt of run {first}, found other ones. Predict the development cases "
            "with the same command, and evaluate that run first"
        )
    wanted = set(case_ids)
    chosen = pd.DataFrame(
        [(frame.case_id, frame.sequence, frame.patient) for frame in dataset.frames if frame.case_id in wanted],
        columns=["case_id", "sequence", "patient"],
    )
    for name, scored in found.items():
        if not scored.histograms:
            raise RefusedInput(f"{folder}: expected logits of run {name} to choose on, found none. Predict with logits")
        of = dataset.people.spellings.of
        both = [table.assign(patient=table["patient"].map(of, na_action="ignore")) for table in (chosen, scored.table)]
        require_apart(*both)
    return found


def _require_unsealed(metrics: Metrics, dataset: Dataset) -> None:
    """Refuse scores of sealed patients: those that the evaluation counted, and those that a split seals since then."""
    counted_then = metrics.summary.get("sealed")
    number = 0 if counted_then is None else int(counted_then["patients"])
    if dataset.rules.split is not None:
        of = dataset.people.spellings.of
        scored = {of(patient) for patient in metrics.table()["patient"].dropna()}
        number = max(number, len(scored & {of(patient) for patient in dataset.rules.split.sealed_patients}))
    if number:
        raise RefusedInput(
            f"{metrics.folder}: expected scores of patients to choose on, found those of "
            f"{counted(number, 'sealed patient')}, which the split kept with the data holds back for tests. Evaluate "
            "the run on another part, such as --split dev, and name that folder"
        )


def operating_point(
    name: str, scored: Scored, development: Scored | None, *, draws: int, seed: int, sealed: bool = False
) -> OperatingPoint:
    """What the logits of one run say.

    Args:
        development: of the same model; None to choose by cross-validation over units.
        sealed: whether patients that are held back for tests are among the scored.
    """
    if not scored.histograms:
        nothing = {"threshold": None, "calibration": None, "temperature": None}
        note = "the run stores no logits: no threshold can be chosen"
        empty = [pd.DataFrame(columns=list(columns)) for columns in (CURVE_COLUMNS, RELIABILITY_COLUMNS)]
        return OperatingPoint({"run": name, **nothing, "notes": [note]}, *empty)
    kept = {"draws": draws, "seed": seed}
    units, notes = unit_histograms(scored.table, scored.histograms), []
    alone = development is None and len(units.names) < 2
    if alone:
        notes.append("one independent unit: nothing can be chosen apart from what is scored; give --development")
    tables = [scored.table] if development is None else [scored.table, development.table]
    if any(table["patient"].isna().any() for table in tables):
        notes.append("patients are unknown: what was chosen may have seen frames of the scored ones")
    if sealed and development is None and not alone:
        notes.append("chosen on sealed patients: predict with neither, choose them on other patients (--development)")
    fitted: TemperatureScaling | Calibration | None = None
    if is_flat(scored.histograms):
        notes.append("the maps hold two values: every threshold gives the same masks, and there are no probabilities")
    elif alone:
        fitted = calibration(units, **kept)
    elif development is None:
        fitted = scaled_by_folds(units, **kept)
    else:
        others = unit_histograms(development.table, development.histograms)
        fitted = scaled_on_development(units, others, **kept)
    before = fitted.before if isinstance(fitted, TemperatureScaling) else fitted
    record = {
        "run": name,
        "threshold": None if alone else _threshold_record(_locked(scored, development, seed)),
        "calibration": None if before is None else _calibration_record(before),
        "temperature": _temperature_record(fitted) if isinstance(fitted, TemperatureScaling) else None,
        "notes": notes,
    }
    curves = threshold_curves(scored.table, scored.histograms).assign(run=name)[list(CURVE_COLUMNS)]
    return OperatingPoint(record, curves, _reliability_table(name, fitted))


def _locked(scored: Scored, development: Scored | None, seed: int) -> LockedThreshold:
    if development is None:
        return cross_validated(scored.table, scored.histograms, seed=seed)
    return on_development(scored.table, scored.histograms, development.table, development.histograms)


def _same_model(scored_run: ScoredRun, metrics: Metrics) -> str | None:
    """The run of a metrics folder whose masks were made in the same way as a scored run's."""
    own = _deciding(scored_run.facts())
    return next((run["name"] for run in metrics.summary["runs"] if _deciding(run) == own), None)


def _deciding(run: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: run[name] for name in _DECIDING}
    return {
        name: {key: inner for key, inner in value.items() if key not in _OF_THE_CASES}
        if isinstance(value, Mapping)
        else value
        for name, value in facts.items()
    }


def _threshold_record(found: LockedThreshold) -> dict[str, Any]:
    return {
        "threshold": found.threshold,
        "chosen_by": str(found.chosen_by),
        # By cross-validation they are all scored cases.
        "chosen_on": list(found.chosen_on) if found.chosen_by is ChosenBy.DEVELOPMENT else None,
        "fold_thresholds": list(found.fold_thresholds),
        "unit": str(found.unit),
        **{name: _interval_record(getattr(found, name)) for name in ("dice", "dice_at_half", "gain")},
    }


def _temperature_record(found: TemperatureScaling) -> dict[str, Any]:
    return {
        "temperature": found.temperature,
        "chosen_by": str(found.chosen_by),
        "fold_temperatures": list(found.fold_temperatures),
        "calibration": _calibration_record(found.after),
    }


def _calibration_record(found: Calibration) -> dict[str, Any]:
    return {
        **{name: _interval_record(getattr(found, name)) for name in ("ece", "brier", "nll")},
        "ece_equal_mass": found.ece_equal_mass,
        "brier_of_share": found.brier_of_share,
    }


def _interval_record(interval: Interval) -> dict[str, Any]:
    found = {name: value for name, value in interval.row().items() if name != "few"}
    return {**found, "n_units": interval.units}


def _reliability_table(name: str, found: TemperatureScaling | Calibration | None) -> pd.DataFrame:
    parts = []
    if isinstance(found, TemperatureScaling):
        parts = [(False, found.before.reliability), (True, found.after.reliability)]
    elif found is not None:
        parts = [(False, found.reliability)]
    rows = [pd.DataFrame({"run": name, "scaled": scaled, **asdict(one)}) for scaled, one in parts]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(RELIABILITY_COLUMNS))
