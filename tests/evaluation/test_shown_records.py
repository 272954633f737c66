"""What a record shows where it is printed by mistake, in a log or a traceback: no name, no table, no list of cases."""

from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import get_args, get_type_hints

from helpers.evaluation import (
    case_arrays,
    case_choice,
    chosen_threshold,
    edit_distance,
    evaluate,
    frangi_tuning,
    metric_score,
    metrics_folder,
    own_guess,
    paired,
    regression_gate,
    score_table,
    scored_runs,
    sequence_scores,
    threshold_and_calibration,
)
from helpers.evaluation.leakage import (
    config_source,
    conversion_names,
    exported_cases,
    kept_names,
    name_marks,
    standing,
    training_check,
    training_data,
    training_files,
    training_list,
    training_match,
)
from helpers.evaluation.refcoco import expression_scoring, expressions

MODULES = (
    *(case_arrays, case_choice, chosen_threshold, edit_distance, evaluate, frangi_tuning, metric_score, metrics_folder),
    *(own_guess, paired, regression_gate, score_table, scored_runs, sequence_scores, threshold_and_calibration),
    *(config_source, conversion_names, exported_cases, kept_names, name_marks, standing),
    *(training_check, training_data, training_files, training_list, training_match),
    *(expression_scoring, expressions),
)
FOLDER = Path(evaluate.__file__).parent
RECORDS = [
    record
    for module in MODULES
    for record in vars(module).values()
    if is_dataclass(record) and record.__module__ == module.__name__
]
# All that is shown besides numbers and words of an enum. A new field that holds text, a path, a table or another record
# is hidden (`repr=False`), or somebody has seen that it names nobody.
SHOWN = {
    "ChosenCases": {"warnings"},
    "Evaluation": {"folder"},
    "Evidence": {"reasons", "files"},  # roles, hashes and counts of files
    "ExportedCase": {"key_fingerprint"},
    "Findings": {"problems", "notes"},
    "Group": {"kind"},
    "Kept": {"text"},
    "KeptNames": {"key_fingerprint", "files"},
    "ListedFile": {"sha256"},
    "LockedThreshold": {"dice", "dice_at_half", "gain"},
    "MetricScore": {"metric", "run", "unit", "standing"},
    "Metrics": {"folder"},
    "PredictedExpression": {"answer", "message"},
    "ScoredRun": {"name", "prompt_id"},
    "Scores": {"configuration", "title"},
    "Standings": {"reasons"},
    "TrainedOn": {"layout", "split"},
    "TrainingCheck": {"choice"},
    "TrainingFiles": {"sources"},
    "TrainingList": {"files"},
    "TunedChoice": {"settings"},
    "TuningResult": {"choice", "unit", "split", "united"},
}


def kinds(hint):
    """The types that a type is made of: str and None of `str | None`."""
    inner = get_args(hint)
    return set().union(*map(kinds, inner)) if inner else {hint}


def is_plain(kind):
    return kind in (int, float, bool, type(None), ...) or (isinstance(kind, type) and issubclass(kind, Enum))


def test_what_a_record_shows():
    shown = {}
    for record in RECORDS:
        hints = get_type_hints(record)
        shown[record.__name__] = {
            field.name for field in fields(record) if field.repr and not all(map(is_plain, kinds(hints[field.name])))
        }
    assert {name: names for name, names in shown.items() if names} == SHOWN


def test_all_modules_with_records_are_looked_at():
    found = {path for path in FOLDER.rglob("*.py") if "\n@dataclass" in path.read_text(encoding="utf-8")}
    assert found == {Path(module.__file__) for module in MODULES}
