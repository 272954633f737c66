"""A line that stands on all that a demonstration shows, so that nothing of it is taken for a result.

A run that is made while the environment variable VESSELKIT_STAMP says something carries it in its manifest. What shows
such a run later shows the stamp too.
"""

import os

VARIABLE = "VESSELKIT_STAMP"

_of_notebook: list[str | None] = []


def stamp_text(*carried: str | None) -> str | None:
    """What the environment variable and the runs that are shown say, each text once; None where none says anything.

    Args:
        carried: of each run, see `helpers.runs.run_folder.Run.stamp`.
    """
    said = dict.fromkeys(filter(None, (new_stamp(), *_of_notebook, *carried)))
    return "; ".join(said) or None


def new_stamp() -> str | None:
    """What a run that is made now is to carry."""
    return os.environ.get(VARIABLE) or None


def stamp_notebook(*carried: str | None) -> None:
    """From now on all that this process shows carries what these runs say, and no more what earlier ones said."""
    _of_notebook[:] = carried
