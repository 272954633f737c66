"""How far two reviewers agree beyond chance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from sklearn.metrics import cohen_kappa_score

from helpers.review.verdicts import Verdict, VerdictRecord


@dataclass(frozen=True)
class Agreement:
    """Of two reviewers, on the cases that both gave a verdict on.

    Attributes:
        cases: how many.
        same: how many got the same verdict from both.
        kappa: Cohen's, unweighted; None where it is not defined: no common case, or one verdict for everything.
        table: verdict of the first -> verdict of the second -> cases.
    """

    first: str
    second: str
    cases: int
    same: int
    kappa: float | None
    table: Mapping[Verdict, Mapping[Verdict, int]]

    def __str__(self) -> str:
        kappa = "not defined" if self.kappa is None else f"{self.kappa:.3f}"
        return f"{self.first} and {self.second}: {self.same} of {self.cases} verdicts the same, Cohen's kappa {kappa}"


def agreement(first: str, second: str, verdicts: Mapping[str, Mapping[str, VerdictRecord]]) -> Agreement:
    """Agreement of two reviewers.

    Args:
        verdicts: as `helpers.review.verdicts.current` gives them.
    """
    ours, theirs = verdicts.get(first, {}), verdicts.get(second, {})
    pairs = [(ours[case_id].verdict, theirs[case_id].verdict) for case_id in sorted(ours.keys() & theirs.keys())]
    table = {one: {other: pairs.count((one, other)) for other in Verdict} for one in Verdict}
    return Agreement(first, second, len(pairs), sum(one is other for one, other in pairs), _kappa(pairs), table)


def agreements(verdicts: Mapping[str, Mapping[str, VerdictRecord]]) -> tuple[Agreement, ...]:
    """Of every two reviewers, by name."""
    return tuple(agreement(first, second, verdicts) for first, second in combinations(sorted(verdicts), 2))


def _kappa(pairs: list[tuple[Verdict, Verdict]]) -> float | None:
    if len({verdict for pair in pairs for verdict in pair}) < 2:
        return None
    value = float(cohen_kappa_score([one for one, _ in pairs], [other for _, other in pairs]))
    return value if math.isfinite(value) else None
