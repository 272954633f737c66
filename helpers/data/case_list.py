"""A list of cases, such as a review leaves of those that were rejected: a text file with one case id a line."""

from collections.abc import Sequence
from pathlib import Path

from helpers.data.frame import Frame
from helpers.errors import RefusedInput

_SHOWN = 3


def listed(frames: Sequence[Frame], path: Path) -> tuple[Frame, ...]:
    """The frames whose case ids are in the list, in the order of the data set; empty lines are passed over.

    Raises:
        RefusedInput: where the file cannot be read as text, names no case, or one that the data set lacks.
    """
    try:
        wanted = set(filter(None, map(str.strip, path.read_text(encoding="utf-8-sig").splitlines())))
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedInput(f"{path}: expected a text file of case ids, got {type(error).__name__}") from error
    if not wanted:
        raise RefusedInput(f"{path}: expected one case id a line, found none")
    found = tuple(frame for frame in frames if frame.case_id in wanted)
    strays = sorted(wanted - {frame.case_id for frame in found})
    if strays:
        more = f" and {len(strays) - _SHOWN} more" if len(strays) > _SHOWN else ""
        raise RefusedInput(
            f"{path}: expected case ids of this data set, {', '.join(strays[:_SHOWN])}{more} are none of it. "
            "Give the data set, --ids and --id-key of the run that the list came from"
        )
    return found
