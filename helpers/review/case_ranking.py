"""Ranking of cases by score, the same for the queue, for sheets and for notebooks."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from helpers.data.frames.image_reading import natural_key

Item = TypeVar("Item")


def by_score(
    items: Iterable[Item],
    score_of: Callable[[Item], float | None],
    *,
    worst_first: bool = True,
    lower_is_better: bool = False,
) -> list[Item]:
    """Items from the worst score to the best, or the other way; those of equal scores stay as they come.

    An item without a score (None or NaN) counts as worse than any.
    """

    def badness(item: Item) -> float:
        value = score_of(item)
        if value is None or math.isnan(value):
            return math.inf
        return value if lower_is_better else -value

    return sorted(items, key=badness, reverse=worst_first)


@dataclass(frozen=True)
class TellingCases:
    """The ends and the middle of cases by score.

    Attributes:
        worst: case ids, the lowest score first.
        median: the middle one, the lower of two; it may be among the others where there are few. None without cases.
        best: case ids, the highest score first; none is among the worst.
    """

    worst: tuple[str, ...]
    median: str | None
    best: tuple[str, ...]


def telling_cases(scores: Mapping[str, float | None], count: int) -> TellingCases:
    """The worst, the median and the best of cases whose score is better where it is higher, such as Dice.

    Args:
        scores: case id -> score; cases without one (None or NaN) are left out. Equal scores stand in natural order of
            their ids.
        count: of the worst and of the best, at most half of the cases each, but one where there is one.
    """
    known = [case_id for case_id, value in scores.items() if value is not None and not math.isnan(value)]
    ranked = by_score(sorted(known, key=natural_key), scores.__getitem__)
    if not ranked:
        return TellingCases((), None, ())
    count = min(count, max(1, len(ranked) // 2))
    worst = tuple(ranked[:count])
    best = tuple(case_id for case_id in ranked[::-1][:count] if case_id not in worst)
    return TellingCases(worst, ranked[(len(ranked) - 1) // 2], best)
