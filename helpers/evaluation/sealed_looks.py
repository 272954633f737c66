"""How often the sealed patients of a split were evaluated: counted once for each different evaluation, and said.

A test set that is looked at again and again is chosen on, and its scores are too good. The same masks, scored against
the same ground truth with the same steps behind them and the same cases to choose on, are the same look, however often
they are evaluated.
"""

import json
from collections.abc import Mapping, Sequence
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
    dataset: Dataset,
    tables: Sequence[pd.DataFrame],
    processing: Processing | None = None,
    development: Sequence[pd.DataFrame] = (),
) -> dict[str, Any] | None:
    """Count an evaluation of sealed patients; a JSON object, docs/metrics-format.md, or None where none was scored.

    Args:
        tables: of scores of the same cases, one for each run. A case may have several rows, such as one for each
            expression.
        processing: steps whose gain is measured; None for none.
        development: tables of scores of the cases that a threshold and a temperature are chosen on.
    Raises:
        RefusedInput: as `count_look`.
    """
    cases = set(tables[0]["case_id"]) & dataset.sealed
    if not cases:
        return None
    spellings = dataset.people.spellings
    patients = {spellings.of(case.frame.patient) for case in dataset.cases if case.case_id in cases}
    ids = frozenset(one for one in patients if one is not None)
    scored = [table[table["case_id"].isin(cases)] for table in tables]
    look = Look(_fingerprint(scored, processing, development), ids, dataset.key_fingerprint)
    return {"patients": len(ids), "cases": len(cases), **asdict(count_look(dataset.root, look))}


def _fingerprint(
    scored: Sequence[pd.DataFrame], processing: Processing | None, development: Sequence[pd.DataFrame]
) -> str:
    """SHA-256 of what is scored, of the steps behind it, and of what is chosen on."""
    steps = None if processing is None else asdict(processing)
    values = [_digests(scored), steps, *([_digests(development)] if development else [])]
    return sha256(json.dumps(values).encode()).hexdigest()


def _digests(tables: Sequence[pd.DataFrame]) -> list[str]:
    """SHA-256 of the masks and the ground truth of each table, by their digests and counts; sorted."""
    rows = (table[_SCORED].astype(str).sort_values(_SCORED).to_numpy().tolist() for table in tables)
    return sorted(sha256(json.dumps(one).encode()).hexdigest() for one in rows)


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
