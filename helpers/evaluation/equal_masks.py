"""Masks that equal the ground truth to the pixel: no two people, and no model, draw a vessel's outline alike."""

from collections.abc import Collection, Mapping

import pandas as pd

from helpers.core.shown_text import counted

# A smaller mask may be equal by chance.
_TELLING = 100  # pixels


def equal_mask_warnings(tables: Mapping[str, pd.DataFrame], own: Collection[str]) -> list[str]:
    """A text for each run of which masks equal the ground truth to the pixel, so that one was made from the other.

    Args:
        tables: scores of cases by the run's name, with `tp`, `fp` and `fn` in pixels.
        own: runs that the ground truth is known to have begun from, whose scores say so already.
    """
    warnings = []
    for name, table in tables.items():
        large = table[table["tp"] + table["fn"] >= _TELLING]
        equal = int(((large["fp"] == 0) & (large["fn"] == 0)).sum())
        if equal and name not in own:
            warnings.append(
                f"{name}: {equal} of {counted(len(large), 'mask')} with vessels equal the ground truth to the pixel, "
                "which nothing drawn apart from it does: either was made from the other, and these scores are no "
                "measure of it. Check where the masks of the data set and those of the run come from"
            )
    return warnings
