"""Masks that mark most of a frame as vessel: vessel and background may be swapped in them."""

from collections.abc import Mapping

from helpers.core.shown_text import counted
from helpers.data.frames.frame import MOST_VESSEL

SWAPPED = "check whether vessel and background are swapped"
_SHOWN = 5


def full_warning(shares: Mapping[str, float]) -> str | None:
    """What to tell of masks that come from elsewhere; None where none of them marks most of its frame.

    Args:
        shares: case id -> share of the frame that its mask marks as vessel, 0 .. 1.
    """
    full = {case_id: share for case_id, share in shares.items() if share > MOST_VESSEL}
    if not full:
        return None
    listed = ", ".join([*full][:_SHOWN]) + (" and more" if len(full) > _SHOWN else "")
    return (
        f"WARNING: {len(full)} of {counted(len(shares), 'mask')} with more than {MOST_VESSEL:.0%} of the frame as "
        f"vessel, up to {max(full.values()):.0%} ({listed}): {SWAPPED}"
    )
