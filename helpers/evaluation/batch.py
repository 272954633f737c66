"""Scoring many cases with several processes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from tqdm import tqdm

from helpers.evaluation.case_scores import CaseArrays, CaseScores, score_case
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
    show = partial(tqdm, total=len(keys), desc="scoring", unit="case", disable=not progress)
    return list(show(shared(work, keys, processes, chunk=_CHUNK)))


def _load_and_score(load: Callable[[Key], CaseArrays], key: Key) -> CaseScores:
    return score_case(load(key))
