"""Masks that equal the ground truth to the pixel: no two people, and no model, draw a vessel's outline alike."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from helpers.core.shown_text import agreeing, counted

KEY = "equal_masks"  # of a run in a summary

# A smaller mask may be equal by chance.
_TELLING = 100  # pixels


def equal_masks(table: pd.DataFrame) -> dict[str, int] | None:
    """How many `masks` of a run have vessels enough to tell, and how many are `equal` to their ground truth.

    Args:
        table: scores of cases, with `tp`, `fp` and `fn` in pixels.
    Returns:
        None where no such mask is equal.
    """
    large = table[table["tp"] + table["fn"] >= _TELLING]
    equal = int(((large["fp"] == 0) & (large["fn"] == 0)).sum())
    return {"equal": equal, "masks": len(large)} if equal else None


def equal_mask_warnings(tables: Mapping[str, pd.DataFrame], own: Collection[str]) -> list[str]:
    """A text for each run of which masks equal the ground truth to the pixel, so that one was made from the other.

    Args:
        tables: scores of cases by the run's name, as for `equal_masks`.
        own: runs that the ground truth is known to have begun from, whose scores say so already.
    """
    return [
        f"{name}: {_equal_text(found)}, which nothing drawn apart from it does: either was made from the other, and "
        "these scores do not measure it. Check where the masks of the data set and those of the run come from"
        for name, table in tables.items()
        if name not in own and (found := equal_masks(table)) is not None
    ]


def is_copy(record: Mapping[str, Any] | None) -> bool:
    """Whether most masks of a run are the ground truth itself, so that its scores say nothing of it.

    Args:
        record: as `equal_masks` gives it.
    """
    return record is not None and 2 * record["equal"] > record["masks"]


def equal_masks_of(summary: Mapping[str, Any], run: str) -> Mapping[str, Any] | None:
    """What a summary says of a run's masks that equal the ground truth; None for others and in older folders.

    A run that the ground truth is known to have begun from says so by itself, see `edit_distance`.

    Args:
        run: its name.
    """
    return next((one.get(KEY) for one in summary["runs"] if one["name"] == run), None)


def equal_masks_clause(summary: Mapping[str, Any], run: str) -> str | None:
    """`12 of 12 masks with vessels equal the ground truth to the pixel`; None where no mask does.

    Args:
        run: its name.
    """
    found = equal_masks_of(summary, run)
    return None if found is None else _equal_text(found)


def _equal_text(found: Mapping[str, Any]) -> str:
    verb = agreeing(found["equal"], "equals", "equal")
    return f"{found['equal']} of {counted(found['masks'], 'mask')} with vessels {verb} the ground truth to the pixel"
