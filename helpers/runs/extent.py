"""How far a run goes: over all cases of its data set or the first ones, and how it grows from these to more.

What was predicted of a case does not depend on how many others were asked for. So a run of the first cases goes on with
the others when more are asked for; its configuration then says how far it goes now, and how far it went before.
"""

import json
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

# Of the data set's fields, those that the limit decides.
_OF_CASES = ("cases", "listing_sha256", "order_sha256")

Extent = Mapping[str, Any]


class Asked(Enum):
    """What a command asks for, beside what a run folder holds."""

    SAME = auto()
    MORE = auto()  # the same and further cases, or all of a data set of which the run has all
    FEWER = auto()  # a part of what is there
    OTHER = auto()


def extent_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a configuration that a limit decides: `limit`, and those of the cases in `dataset`."""
    dataset = values.get("dataset") or {}
    return {
        "limit": values.get("limit"),
        "dataset": {name: dataset[name] for name in _OF_CASES if name in dataset},
    }


def with_extent(values: Mapping[str, Any], extent: Extent) -> dict[str, Any]:
    """A configuration as it is with another extent."""
    dataset = {name: value for name, value in (values.get("dataset") or {}).items() if name not in _OF_CASES}
    return {**values, "limit": extent["limit"], "dataset": {**dataset, **extent["dataset"]}}


def asked_for(
    stored: Mapping[str, Any], asked: Mapping[str, Any], extent_at: Callable[[int | None], Extent] | None
) -> Asked:
    """How a configuration that is asked for stands to that of a run, both with the same fields.

    Args:
        extent_at: the extent of a limit in the data set as it is now; None where it does not grow.
    """
    if _same(stored, asked):
        return Asked.SAME
    before = extent_of(stored)
    if not _same(with_extent(asked, before), stored):
        return Asked.OTHER
    if extent_at is None or not _same(extent_at(before["limit"]), before):
        return Asked.OTHER
    limit, now, then = asked.get("limit"), asked["dataset"]["cases"], before["dataset"]["cases"]
    return Asked.MORE if limit is None or now > then or (now == then and before["limit"] is not None) else Asked.FEWER


def _same(first: Any, second: Any) -> bool:
    """Whether two JSON values are the same as they are hashed: 1 and 1.0 differ there."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
