"""Agreement of two reviewers beyond chance, and their preference between two runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from sklearn.metrics import cohen_kappa_score

from helpers.core.shown_text import counted
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
        verdicts = f"{self.same} of {counted(self.cases, 'verdict')} the same"
        return f"{self.first} and {self.second}: {verdicts}, Cohen's kappa {kappa}"


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


def preferences(
    names: tuple[str, str],
    first: Mapping[str, Mapping[str, VerdictRecord]],
    second: Mapping[str, Mapping[str, VerdictRecord]],
) -> list[str]:
    """Which of two runs each reviewer judged better, a sentence each, on the cases with verdicts on both.

    Args:
        names: of the runs.
        first, second: verdicts on them, as `helpers.review.verdicts.current` gives them.
    """
    rank, lines = list(Verdict), []
    for reviewer in sorted(first.keys() & second.keys()):
        ours, theirs = first[reviewer], second[reviewer]
        steps = [
            rank.index(theirs[case_id].verdict) - rank.index(ours[case_id].verdict)
            for case_id in ours.keys() & theirs.keys()
        ]
        if steps:
            better, worse = sum(step > 0 for step in steps), sum(step < 0 for step in steps)
            lines.append(
                f"{reviewer}: {names[0]} better on {better}, {names[1]} better on {worse}, the same on "
                f"{len(steps) - better - worse} of {counted(len(steps), 'case')}"
            )
    return lines


def _kappa(pairs: list[tuple[Verdict, Verdict]]) -> float | None:
    if len({verdict for pair in pairs for verdict in pair}) < 2:
        return None
    value = float(cohen_kappa_score([one for one, _ in pairs], [other for _, other in pairs]))
    return value if math.isfinite(value) else None
