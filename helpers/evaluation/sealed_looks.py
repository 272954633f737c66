"""How often the sealed patients of a split were evaluated: counted once for each different evaluation, and said.

A test set that is looked at again and again is chosen on, and its scores are too good. The same masks, scored against
the same ground truth with the same steps behind them, are the same look, however often they are evaluated.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import pandas as pd

from helpers.core.shown_text import counted
from helpers.data.dataset import Dataset
from helpers.data.splits.looks import Look, count_look
from helpers.metrics.postprocessing import Processing

# What tells masks and ground truth apart; scores follow from these.
_SCORED = ["case_id", "prediction_digest", "tp", "fp", "fn", "tn"]

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def counted_look(
    dataset: Dataset, tables: Mapping[str, pd.DataFrame], processing: Processing | None
) -> dict[str, Any] | None:
    """Count an evaluation of sealed patients; a JSON object, docs/metrics-format.md, or None where none was scored.

    Args:
        tables: of scores of the same cases, by the scored runs' names, which play no part.
        processing: steps whose gain is measured; None for none.
    Raises:
        RefusedInput: as `count_look`.
    """
    first = next(iter(tables.values()))
    cases = set(first["case_id"]) & dataset.sealed
    if not cases:
        return None
    spellings = dataset.people.spellings
    patients = {spellings.of(case.frame.patient) for case in dataset.cases if case.case_id in cases}
    ids = frozenset(one for one in patients if one is not None)
    counted = count_look(dataset.root, Look(_fingerprint(tables, cases, processing), ids, dataset.key_fingerprint))
    return {"patients": len(ids), "cases": len(cases), **asdict(counted)}


def _fingerprint(tables: Mapping[str, pd.DataFrame], cases: set[str], processing: Processing | None) -> str:
    """SHA-256 of what is scored: of each run its masks and the ground truth, by their digests and counts."""
    runs = []
    for table in tables.values():
        rows = table[table["case_id"].isin(cases)].sort_values("case_id")[_SCORED]
        runs.append(sha256(json.dumps(rows.astype(str).to_numpy().tolist()).encode()).hexdigest())
    steps = None if processing is None else asdict(processing)
    return sha256(json.dumps([sorted(runs), steps]).encode()).hexdigest()


def look_text(look: Mapping[str, Any]) -> str:
    """`third look at this test set`; of one that was counted before, that it was."""
    number = look["number"]
    if look["again"]:
        return f"{counted(number, 'look')} at this test set so far, this one among them"
    which = f"{_ORDINALS[number - 1]} look" if number <= len(_ORDINALS) else f"look number {number}"
    return f"{which} at this test set"


def look_titles(record: Mapping[str, Any], look: Mapping[str, Any] | None) -> dict[str, Any]:
    """A record with titles (of standings, or of a comparison) that say which look it is; as it is without one."""
    if look is None or "title" not in record:
        return dict(record)
    runs = {"runs": [look_titles(one, look) for one in record["runs"]]} if "runs" in record else {}
    return {**record, "title": f"{record['title']}; {look_text(look)}", **runs}


def look_warnings(look: Mapping[str, Any] | None) -> list[str]:
    """What must be known where a look could not be counted."""
    if look is None or look["kept"]:
        return []
    return [
        f"this look at {counted(look['patients'], 'sealed patient')} could not be written down: neither the data set's "
        "folder nor the place beside it can be written, so that the next evaluation counts one look too few. Make one "
        "of them writable, and evaluate again"
    ]
