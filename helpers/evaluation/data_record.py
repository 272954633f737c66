"""What an evaluation says of the data set that it scored, as a JSON object."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from helpers.data.dataset import Dataset
from helpers.data.frames.frame import listing_sha256
from helpers.data.groups.centres import centres_of
from helpers.data.rules import TRUTH_RULES
from helpers.evaluation.case_arrays import Scorable
from helpers.evaluation.case_choice import ChosenCases


def data_record(
    dataset: Dataset, choice: ChosenCases, cases: Sequence[Scorable], table: pd.DataFrame
) -> dict[str, Any]:
    """The field `dataset` of a summary, docs/metrics-format.md.

    Args:
        choice: which cases are scored, and why others are not.
        cases: that are scored.
        table: of scores of the first run.
    """
    return {
        "layout": dataset.layout,
        "ids": dataset.ids.value,
        "key_fingerprint": dataset.key_fingerprint,
        "cases": len(dataset.cases),
        "without_truth": sum(case.truth is None for case in dataset.cases),
        "scored": len(cases),
        "left_out": {reason: len(case_ids) for reason, case_ids in choice.left_out.items()},
        "left_out_cases": {reason: list(case_ids) for reason, case_ids in choice.left_out.items()},
        "splits": sorted({case.case.frame.split for case in cases if case.case.frame.split is not None}),
        "listing_sha256": listing_sha256([case.case.frame for case in cases]),
        "centres": _centres(dataset, choice.case_ids),
        **_decided(dataset, table),
    }


def _centres(dataset: Dataset, case_ids: Sequence[str]) -> dict[str, Any] | None:
    """What a column of the data says of the centres of the scored cases; None where no column does."""
    files = [dataset.people.by_case[case_id] for case_id in case_ids if case_id in dataset.people.by_case]
    found = centres_of([file.name for file in files], dataset.root)
    return None if found is None else asdict(found)


def _decided(dataset: Dataset, table: pd.DataFrame) -> dict[str, Any]:
    """What was decided about the ground truth, and how much of it is not scored; nothing where nothing was."""
    decided = {name: value for name, value in dataset.rules.decided().items() if name in TRUTH_RULES}
    unscored = table["height"] * table["width"] - table[["tp", "fp", "fn", "tn"]].sum(axis=1)
    decisions: dict[str, Any] = {}
    if decided:
        decisions["rules"] = {
            name: list(value) if isinstance(value, tuple) else value for name, value in decided.items()
        }
    if unscored.any():
        decisions["ignored"] = {"cases": int((unscored > 0).sum()), "pixels": int(unscored.sum())}
    return decisions
