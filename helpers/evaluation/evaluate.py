"""Score runs on the same cases of a data set, into a metrics folder (docs/metrics-format.md)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from helpers import __version__
from helpers.core.atomic import replacing_folder, write_json_atomic, write_text_atomic
from helpers.core.documents import document
from helpers.core.shown_text import counted
from helpers.data.dataset import Dataset
from helpers.data.exported_masks import require_true_masks
from helpers.data.groups.case_groups import case_groups
from helpers.evaluation.case_arrays import Scorable, gains, processed_scores, reference_bounds_of, scorable, score_run
from helpers.evaluation.case_choice import checked_data, choose_cases, score_warnings
from helpers.evaluation.data_record import data_record
from helpers.evaluation.edit_distance import KEY as EDIT_DISTANCE
from helpers.evaluation.edit_distance import OwnTruth, edit_titles, edit_warnings, own_truths
from helpers.evaluation.equal_masks import KEY as EQUAL_MASKS
from helpers.evaluation.equal_masks import equal_mask_warnings, equal_masks
from helpers.evaluation.groups import group_record, groups_table
from helpers.evaluation.leakage.standing import counts, joint, p_value_note, title
from helpers.evaluation.leakage.training_check import check_training
from helpers.evaluation.metric_score import MetricScore, score_in
from helpers.evaluation.metrics_folder import (
    CHANGES_NAME,
    FRAMES_NAME,
    GROUPS_NAME,
    GUESSES_NAME,
    PREDICTION,
    RELIABILITY_NAME,
    SCHEMA,
    SCHEMA_VERSION,
    SEQUENCES_NAME,
    SUMMARY_NAME,
    TABLE_NAME,
    TEXT_NAME,
    THRESHOLDS_NAME,
    YARDSTICKS_NAME,
    check_output,
    require_unchanged,
    write_tables,
)
from helpers.evaluation.own_guess import guess_record, guesses_table
from helpers.evaluation.paired import changes, compare, pair
from helpers.evaluation.patients_needed import needed_record
from helpers.evaluation.score_table import (
    definitions,
    pooled,
    records_of,
    reference_bound_means,
    scores_table,
    summary,
    summary_of_scored,
)
from helpers.evaluation.scored_runs import (
    ScoredRun,
    open_scored_runs,
    require_same_frames,
    require_same_ids,
    require_untuned,
    require_whole,
)
from helpers.evaluation.sealed_looks import counted_look, look_titles, look_warnings
from helpers.evaluation.sequence_scores import score_sequences
from helpers.evaluation.summary_text import summary_text
from helpers.evaluation.threshold_and_calibration import Scored, open_development, operating_point
from helpers.metrics.case_scores import CaseScoring
from helpers.metrics.intervals import DRAWS, FEWEST_FOR_INTERVAL, FEWEST_UNITS, LEVEL, SEED
from helpers.metrics.postprocessing import Processing
from helpers.runs.finishing import OFFICIAL_CHECK


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` wrote.

    Attributes:
        summary: as `summary.json` holds it.
        text: as `summary.md` holds it.
    """

    folder: Path
    summary: Mapping[str, Any] = field(repr=False)
    text: str = field(repr=False)

    def score(self, metric: str = "dice", run: str | None = None) -> MetricScore:
        """One number with its interval, see `score_in`."""
        return score_in(self.summary, metric, run)


def evaluate(
    runs: Sequence[Path],
    dataset: Dataset,
    output: Path,
    *,
    names: Sequence[str] | None = None,
    prompt: str | None = None,
    training: Path | None = None,
    exclude_training: bool = False,
    development: Path | None = None,
    processing: Processing | None = None,
    groups: str | None = None,
    processes: int = 2,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Evaluation:
    """Score finished runs on the cases that all of them were made for; the others are compared with the first.

    Args:
        runs: run folders, the one that the evaluation is about first.
        output: a new folder, or an earlier evaluation, which is replaced when the new one is complete.
        names: of the runs in all tables; None takes the folders' names.
        prompt: id of the prompt to score; None scores each of a run's prompts.
        training: what the models were trained on, see `training_list.read_training_list`; None for what `convert` kept
            on this machine.
        exclude_training: leave out patients of whom training saw frames, and count them.
        development: metrics folder of the same models on other patients, to choose a threshold and a temperature on;
            None for cross-validation over units.
        processing: steps on the masks whose gain is measured beside the masks as they are; None for none.
        groups: column of a CSV file beside the data, or word for DICOM headers, for scores by group, see `case_groups`;
            None for none.
        processes: at most so many score cases, see `score_many`.
        seed, draws: of p-values by random sign flips, and of the bootstrap interval of the ECE.
    Raises:
        UsageProblem: for arguments that do not fit.
        RefusedInput: where runs, data set and training list do not go together, or a ground truth cannot be drawn.
    """
    output = Path(output)
    check_output(output)
    require_true_masks(dataset.root, dataset.exported)
    grouped = None if groups is None else case_groups(dataset, groups)
    scored_runs = open_scored_runs(runs, names, prompt)
    require_same_ids(scored_runs, dataset)
    check = check_training(scored_runs, dataset, choose_cases(scored_runs, dataset), training, exclude_training)
    choice = check.choice
    untold = require_untuned(scored_runs, dataset, choice.case_ids)
    untold += require_whole(scored_runs, choice.case_ids)
    require_same_frames(scored_runs, dataset, choice.case_ids)
    others = {} if development is None else open_development(development, scored_runs, dataset, choice.case_ids)
    dataset.require_decided()
    cases = scorable(dataset, choice.case_ids, [scored_run.run for scored_run in scored_runs])
    checked = checked_data(dataset, scored_runs, choice.case_ids)
    bounds = pd.DataFrame(
        [
            {"case_id": case.case_id, **asdict(found)}
            for case, found in zip(cases, reference_bounds_of(cases), strict=True)
        ]
    )
    scores = {scored_run.name: score_run(scored_run, cases, processes) for scored_run in scored_runs}
    tables = {name: check.marked(name, scores_table(found)) for name, found in scores.items()}
    histograms = {
        name: {case.case_id: case.histogram for case in one if case.histogram is not None}
        for name, one in scores.items()
    }
    guesses = {one.name: guesses_table(one, scores[one.name]) for one in scored_runs}
    own = own_truths(scored_runs, dataset, tables)
    compared, changed = _comparisons(tables, own, check.excluded_patients, seed=seed, draws=draws)
    sealed = not dataset.sealed.isdisjoint(choice.case_ids)
    points = [
        operating_point(name, Scored(table, histograms[name]), others.get(name), draws=draws, seed=seed, sealed=sealed)
        for name, table in tables.items()
    ]
    temporal = score_sequences(scored_runs, dataset, cases, tables, draws=draws, seed=seed)
    described = [
        _described(scored_run, tables[scored_run.name], own.get(scored_run.name)) for scored_run in scored_runs
    ]
    look = counted_look(dataset, list(tables.values()), processing, [one.table for one in others.values()])
    compared = [look_titles(one, look) for one in compared]
    common = [
        *edit_warnings(own),
        *equal_mask_warnings(tables, own),
        *look_warnings(look),
        *choice.warnings,
        *untold,
        *check.warnings(tables),
        *_unit_warnings(described[0]["summary"][0]),
    ]
    common += score_warnings(checked)
    values = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "settings": {"seed": seed, "draws": draws, "level": LEVEL},
        "dataset": data_record(dataset, choice, cases, tables[scored_runs[0].name]),
        "training": check.facts,
        "standing": look_titles(edit_titles(check.record(tables), own), look),
        "sealed": look,
        "warnings": [*common, *(text for one in compared for text in one["warnings"])],
        "data_check": checked,
        "runs": described,
        "yardsticks": reference_bound_means(bounds, tables[scored_runs[0].name]),
        "comparisons": compared,
        "studies": [one.record for one in points],
        "processing": None
        if processing is None
        else _processed(scored_runs, cases, tables, processing, processes, seed=seed, draws=draws),
        "guesses": [
            {"run": name, **guess_record(tables[name], one, draws=draws, seed=seed)}
            for name, one in guesses.items()
            if name not in own
        ],
        "sequences": None if temporal is None else _temporal(temporal.record, own),
        "groups": None if grouped is None else group_record(tables, grouped),
        "definitions": definitions().to_dict("records"),
    }
    table = pd.concat([one.assign(run=name) for name, one in tables.items()], ignore_index=True)
    table = table[["run", *table.columns.drop("run")]]
    table[PREDICTION] = [scored_run.prediction(case.case_id) for scored_run in scored_runs for case in cases]
    require_unchanged(scored_runs)
    check_output(output)  # again, since scoring takes its time
    with replacing_folder(output) as folder:
        written = {
            TABLE_NAME: table,
            CHANGES_NAME: changed,
            YARDSTICKS_NAME: bounds,
            THRESHOLDS_NAME: _stacked([one.curves for one in points]),
            RELIABILITY_NAME: _stacked([one.reliability for one in points]),
            GUESSES_NAME: _stacked([one.assign(run=name) for name, one in guesses.items()]),
            **({} if grouped is None else {GROUPS_NAME: groups_table(grouped, choice.case_ids)}),
            **({} if temporal is None else {FRAMES_NAME: temporal.frames, SEQUENCES_NAME: temporal.sequences}),
        }
        record = document(SCHEMA, SCHEMA_VERSION, {**values, "files": write_tables(folder, written, histograms)})
        text = summary_text(record)
        write_text_atomic(folder / TEXT_NAME, text)
        write_json_atomic(folder / SUMMARY_NAME, record)
    return Evaluation(output, record, text)


def _described(scored_run: ScoredRun, table: pd.DataFrame, own: OwnTruth | None) -> dict[str, Any]:
    """A run and its results, as a JSON object."""
    outcomes = Counter(table["outcome"])
    failures = (table["outcome"] != CaseScoring.SCORED).any()
    scored_only = summary_of_scored(table) if failures else None
    rows = [scored_run.run.prediction(case_id, scored_run.prompt_id)[0] for case_id in scored_run.run.cases()]
    scored = set(table["case_id"])
    return {
        **scored_run.facts(),
        OFFICIAL_CHECK: scored_run.official_check,
        EDIT_DISTANCE: None if own is None else own.to_json(),
        EQUAL_MASKS: None if own is not None else equal_masks(table),
        "outcomes": {str(outcome): outcomes[str(outcome)] for outcome in CaseScoring},
        "statuses": dict(sorted(Counter(str(row.status) for row in rows if row.case_id in scored).items())),
        "summary": records_of(summary(table)),
        "precision": needed_record(table),
        "scored_only": None if scored_only is None else records_of(scored_only),
        "pooled": records_of(pooled(table)),
    }


def _temporal(record: Mapping[str, Any], own: Mapping[str, OwnTruth]) -> dict[str, Any]:
    """The record of sequences, without comparisons with runs whose masks the ground truth began from."""
    return {**record, "comparisons": [one for one in record["comparisons"] if own.keys().isdisjoint(_both(one))]}


def _both(comparison: Mapping[str, Any]) -> tuple[str, str]:
    """The names of the two runs of a comparison."""
    return comparison["first"], comparison["second"]


def _comparisons(
    tables: Mapping[str, pd.DataFrame], own: Mapping[str, OwnTruth], left_out: int, *, seed: int, draws: int
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Each other run against the first, and a table of changed cases.

    Args:
        own: runs whose masks the ground truth began from: a comparison with one has no numbers, and names it.
        left_out: number of TRAINING patients that were left out on request.
    """
    names = list(tables)
    compared, changed = [], []
    for name in names[1:]:
        pairing = pair(tables[names[0]], tables[name])
        edited = [one for one in (names[0], name) if one in own]
        changed_cases = changes(pairing)[: 0 if edited else None]
        together = counts(joint((pairing.first, pairing.second)))
        note = None if edited else p_value_note(together, names[0], name)
        warnings = [] if note is None else [note]
        if pairing.all_identical:
            warnings.append(
                f"{names[0]} and {name} hold the same masks in all {counted(len(pairing.first), 'case')}: "
                "there is nothing to compare"
            )
        compared.append(
            {
                "first": names[0],
                "second": name,
                "title": title(together, left_out),
                EDIT_DISTANCE: edited,
                "identical": len(pairing.identical),
                "warnings": warnings,
                "changes": {str(word): int(count) for word, count in changed_cases["change"].value_counts().items()},
                "metrics": [] if edited else records_of(compare(pairing, draws=draws, seed=seed)),
            }
        )
        changed.append(changed_cases.assign(first_run=names[0], second_run=name))
    columns = ["first_run", "second_run", "case_id", "first", "second", "difference", "change"]
    table = pd.concat(changed, ignore_index=True)[columns] if changed else pd.DataFrame(columns=columns)
    return compared, table


def _processed(
    scored_runs: Sequence[ScoredRun],
    cases: Sequence[Scorable],
    tables: Mapping[str, pd.DataFrame],
    processing: Processing,
    processes: int,
    *,
    seed: int,
    draws: int,
) -> dict[str, Any]:
    """What post-processing changes in each run, as a JSON object."""
    runs = []
    for scored_run in scored_runs:
        processed = processed_scores(scored_run, cases, processing, processes)
        rows = records_of(gains(tables[scored_run.name], processed, draws=draws, seed=seed))
        runs.append({"run": scored_run.name, "metrics": rows})
    return {**asdict(processing), "runs": runs}


def _stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all tables; of empty ones, whose columns have no type, only where there is no other."""
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def _unit_warnings(first: Mapping[str, Any]) -> list[str]:
    """What the first row of a summary leaves open: units that may not be independent, and too few."""
    warnings = []
    if not first["independent"]:
        warnings.append(
            f"patients are not known for every case: {first['unit']}s are taken as independent, which they may not be"
        )
    count = first["n_units"]
    if count < FEWEST_FOR_INTERVAL:
        warnings.append(
            f"{counted(count, first['unit'])}, fewer than {FEWEST_FOR_INTERVAL}: the tables show the mean of each and "
            "no interval; no p-values are given"
        )
    elif count < FEWEST_UNITS:
        warnings.append(f"{counted(count, first['unit'])}, fewer than {FEWEST_UNITS}: no p-values are given")
    return warnings
