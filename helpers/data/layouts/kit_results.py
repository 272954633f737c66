"""Folders of results that the kit wrote, which are no data sets."""

import re
from pathlib import Path

from helpers.core.errors import RefusedInput

# A file of such a folder, the schema that it states, and what the folder is.
_RESULTS = (
    ("run.json", "vesselkit.run", "a run, whose masks are predictions"),
    ("summary.json", "vesselkit.metrics", "the scores of a run"),
    ("conversion.json", "vesselkit.conversion", "a model folder"),
)
_SCHEMA = re.compile(rb'"schema"\s*:\s*"([\w.-]+)"')
_TAIL = 4096  # bytes at either end of a file that are looked at: keys are sorted, so that the schema stands near an end


def no_results(root: Path) -> Path:
    """The folder itself. Raises RefusedInput where it holds results of the kit and not a data set."""
    for name, schema, what in _RESULTS:
        if schema.encode() in _schemas(root / name):
            raise RefusedInput(
                f"{root}: expected a data set, found {what} (its {name}). Name the folder that holds the frames"
            )
    return root


def _schemas(path: Path) -> set[bytes]:
    """What a JSON file states as its schema, or parts of it as theirs; empty for no such file."""
    try:
        with path.open("rb") as file:
            head = file.read(_TAIL)
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            tail = file.read()
    except OSError:
        return set()
    return set(_SCHEMA.findall(head)) | set(_SCHEMA.findall(tail))
