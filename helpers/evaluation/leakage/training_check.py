"""Compares the cases of an evaluation with the training data of its runs: what is left out, said, and recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import agreeing, counted
from helpers.data.dataset import Dataset
from helpers.data.groups.name_parts import Spellings
from helpers.evaluation.case_choice import ChosenCases
from helpers.evaluation.leakage.standing import COLUMN, Counts, Source, Standing, Standings, counts, joint_title, title
from helpers.evaluation.leakage.training_data import UNCHECKED, TrainingData
from helpers.evaluation.leakage.training_list import TrainingList, read_training_list
from helpers.evaluation.leakage.training_match import group_of_case
from helpers.evaluation.score_table import unit_keys, with_united
from helpers.evaluation.scored_runs import ScoredRun

LEFT_OUT = "cases of TRAINING patients left out, as asked for (--exclude-training)"


@dataclass(frozen=True)
class TrainingCheck:
    """The scored cases and the training data of each run.

    Attributes:
        choice: of the cases to score; those of TRAINING patients are left out where that was asked for.
        standings: by the names of the scored runs.
        facts: a JSON object of the lists that were read, docs/metrics-format.md; None where there is none.
        excluded: ids of the cases left out.
        excluded_patients: how many patients these are of.
        asked: whether TRAINING patients were to be left out.
        spellings: of the data set's patients.
    """

    choice: ChosenCases
    standings: Mapping[str, Standings] = field(repr=False)
    facts: dict[str, Any] | None = field(repr=False)
    excluded: tuple[str, ...] = field(default=(), repr=False)
    excluded_patients: int = 0
    asked: bool = False
    spellings: Spellings = field(default_factory=Spellings, repr=False)

    def marked(self, name: str, table: pd.DataFrame) -> pd.DataFrame:
        """The table of scores of a scored run with the standing of each case, and spellings of one patient united."""
        return with_united(table, self.spellings).assign(**{COLUMN: self.standings[name].of(table["case_id"])})

    def record(self, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
        """A JSON object: how the scored patients stand to the training data of each run.

        Args:
            tables: of scores, marked, by the scored runs' names.
        """
        by_run = {name: counts(table) for name, table in tables.items()}
        titles = {
            name: title(one, self.excluded_patients, self.standings[name].is_tuned) for name, one in by_run.items()
        }
        return {
            "title": joint_title(titles),
            "excluded": self.asked,
            "excluded_patients": self.excluded_patients,
            "excluded_cases": len(self.excluded),
            "runs": [
                {
                    "run": name,
                    "title": titles[name],
                    "sources": [str(source) for source in self.standings[name].sources],
                    **by_run[name].to_json(),
                    "training_ids": _training_ids(table),
                    "reasons": list(self.standings[name].reasons),
                }
                for name, table in tables.items()
            ],
        }

    def warnings(self, tables: Mapping[str, pd.DataFrame]) -> list[str]:
        """What must be known before the scores are believed."""
        said = list(self.facts["warnings"]) if self.facts else []
        known = any(set(one.sources) & {Source.LIST, Source.KEPT} for one in self.standings.values())
        by_text: dict[str, list[str]] = {}
        for name, table in tables.items():
            standings = self.standings[name]
            for text in (*_seen_text(counts(table), table, standings.is_tuned), *standings.reasons):
                by_text.setdefault(text, []).append(name)
        trained = [name for name in tables if not set(self.standings[name].sources) & {Source.TUNED, Source.NOTHING}]
        for text, names in by_text.items():
            whole = set(trained) <= set(names)
            said.append(text if whole else f"run {', '.join(names)}: {text}")
        if not known and not said and trained:
            said.append(UNCHECKED)
        return said


def check_training(
    scored_runs: Sequence[ScoredRun],
    dataset: Dataset,
    choice: ChosenCases,
    training: Path | None,
    exclude: bool = False,
) -> TrainingCheck:
    """Hold the cases of an evaluation against the training data of its runs.

    Args:
        training: list for all runs; None for what is kept on this machine.
        exclude: leave out the patients of whom the training of any of the runs saw frames.
    Raises:
        RefusedInput: for a list that cannot be read; where patients are to be left out and it is not known what the
            first run was trained on, or no case remains.
    """
    listed = None if training is None else read_training_list(training, dataset)
    data = TrainingData(dataset, listed)
    standings = {scored_run.name: data.standings(scored_run.model, choice.case_ids) for scored_run in scored_runs}
    excluded: tuple[str, ...] = ()
    if exclude:
        first = scored_runs[0].name
        if set(standings[first].sources) == {Source.UNKNOWN}:
            raise RefusedInput(
                f"--exclude-training: expected to know what run {first} was trained on, found no list. "
                + "; ".join(standings[first].reasons or ("Name the training images with --training",))
            )
        excluded = tuple(
            case_id
            for case_id in choice.case_ids
            if any(one.by_case[case_id] is Standing.TRAINING for one in standings.values())
        )
        choice = _without(choice, excluded)
    gone = set(excluded)
    patients = {group_of_case(case, dataset.people) or case.case_id for case in dataset.cases if case.case_id in gone}
    facts = _facts(data, listed, scored_runs, standings, choice.case_ids)
    return TrainingCheck(choice, standings, facts, excluded, len(patients), exclude, spellings=dataset.people.spellings)


def _without(choice: ChosenCases, excluded: Sequence[str]) -> ChosenCases:
    gone = set(excluded)
    left = tuple(case_id for case_id in choice.case_ids if case_id not in gone)
    if not left:
        raise RefusedInput(
            "--exclude-training: expected patients that training never saw, found none: the "
            f"cases ({len(excluded)}) are all of TRAINING patients. Evaluate other patients, and split by patient "
            "before the next training"
        )
    return replace(
        choice, case_ids=left, left_out={**choice.left_out, **({LEFT_OUT: tuple(excluded)} if excluded else {})}
    )


def _facts(
    data: TrainingData,
    listed: TrainingList | None,
    scored_runs: Sequence[ScoredRun],
    standings: Mapping[str, Standings],
    case_ids: Sequence[str],
) -> dict[str, Any] | None:
    """What the lists say of the scored cases; `leaked` are all cases of TRAINING patients, of any run."""
    leaked = sorted(
        case_id for case_id in case_ids if any(one.by_case[case_id] is Standing.TRAINING for one in standings.values())
    )
    facts: dict[str, Any] | None
    if listed is not None:
        facts = listed.facts(case_ids, understood=bool(leaked) or data.list_is_understood)
    else:
        kept = (data.kept_facts(scored_run.model, case_ids) for scored_run in scored_runs)
        facts = next((one for one in kept if one is not None), None)
    if facts is None:
        return None
    chosen_on = frozenset().union(*(data.validation_cases(scored_run.model, case_ids) for scored_run in scored_runs))
    others = sorted(chosen_on - set(leaked) - set(facts["validated"]))
    warnings = list(facts["warnings"])
    if others:
        warnings.append(
            f"{len(others)} of {counted(len(case_ids), 'scored case')} "
            f"{agreeing(len(others), 'is', 'are')} of patients of whom other frames are validation data of the "
            "training config; where the checkpoint was chosen on them, these scores are too good"
        )
    validated = sorted({*facts["validated"], *others} - set(leaked))
    return {**facts, "listed": facts["leaked"], "leaked": leaked, "validated": validated, "warnings": warnings}


def _training_ids(table: pd.DataFrame) -> list[str]:
    """Ids of the units that training saw."""
    return sorted(set(unit_keys(table)[table[COLUMN] == Standing.TRAINING]))


def _seen_text(found: Counts, table: pd.DataFrame, tuned: bool) -> list[str]:
    if not found.training:
        return []
    cases = int((table[COLUMN] == Standing.TRAINING).sum())
    saw = "its parameters were chosen on frames of them" if tuned else "training saw frames of them"
    return [
        f"{found.training} of {counted(found.all, f'scored {found.unit}')} {agreeing(found.training, 'is', 'are')} of "
        f"TRAINING patients ({cases} of {counted(len(table), 'case')}): {saw}, and these scores say nothing of new "
        "patients. Leave them out (--exclude-training), or evaluate patients that training never saw"
    ]
