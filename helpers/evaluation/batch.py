"""Scoring many cases with several processes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from helpers.evaluation.case_scores import CaseArrays, CaseScores, score_case
from helpers.progress import track
from helpers.worker_processes import shared

_CHUNK = 8

Key = TypeVar("Key")


def score_many(
    load: Callable[[Key], CaseArrays], keys: Sequence[Key], processes: int = 2, *, progress: bool = True
) -> list[CaseScores]:
    """Score cases, in the order of `keys`.

    Args:
        load: gives the arrays of one case; it runs in the worker, so that only keys and scores travel. It must be
            picklable: a function of a module, or a `functools.partial` of one.
        processes: with 1, everything runs in this process.
    Raises:
        RefusedInput: from `score_case` or `load`, at the first case that cannot be scored.
        VesselkitError: as `shared`.
    """
    work = partial(_load_and_score, load)
    scored = shared(work, keys, processes, chunk=_CHUNK)
    return list(track(scored, "scoring", total=len(keys), unit="case") if progress else scored)


def _load_and_score(load: Callable[[Key], CaseArrays], key: Key) -> CaseScores:
    return score_case(load(key))
