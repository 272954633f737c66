"""What an order of cases by doubt is worth, judged by their scores: pure arrays, ties shared out evenly.

Cases of equal doubt have no order. Each of them counts for its chance to be among the first, so that nothing depends on
names or on the order given.
"""

import numpy as np

WORST = 0.1
"""Share of the cases that are the worst."""
FIRST = 0.2
"""Share of the queue that is looked at."""


def first_of(values: np.ndarray, count: int) -> np.ndarray:
    """How much each case is among the `count` of highest value, float (n,), 0 .. 1, summing to `count`.

    Args:
        values: (n,), infinity for the very first; not NaN.
        count: 0 .. n.
    """
    if count == 0:
        return np.zeros(len(values))
    edge = np.sort(values)[len(values) - count]
    above, level = values > edge, values == edge
    shares: np.ndarray = above + level * ((count - above.sum()) / level.sum())
    return shares


def count_of(share: float, cases: int) -> int:
    """How many of so many cases a share is, at least one."""
    return max(1, round(share * cases))


def found_early(doubt: np.ndarray, score: np.ndarray, worst: float = WORST, first: float = FIRST) -> float:
    """Share of the worst cases that stand in the first part of the queue, 0 .. 1; `first` by chance.

    Args:
        doubt: (n,), the highest first.
        score: (n,), the lowest are the worst.
        worst, first: shares of the cases.
    """
    bad = first_of(-score, count_of(worst, len(score)))
    early = first_of(doubt, count_of(first, len(doubt)))
    return float((bad * early).sum() / bad.sum())


def silent_failures(doubt: np.ndarray, score: np.ndarray, worst: float = WORST) -> np.ndarray:
    """Cases among the worst that are surer than half of all, bool (n,). Ties count as surer, and as the worst."""
    edge = np.sort(score)[count_of(worst, len(score)) - 1]
    silent: np.ndarray = (score <= edge) & (doubt <= np.median(doubt))
    return silent


def risk_area(doubt: np.ndarray, score: np.ndarray) -> float:
    """Area under the risk-coverage curve (AURC), 0 .. 1: the mean, over n = 1 .. N, of the loss of the n surest cases.

    The loss is 1 - score. The lower, the better; by chance it is the mean loss. Of equal doubt the mean loss is taken
    for each (Geifman, Uziel, El-Yaniv, Bias-Reduced Uncertainty Estimation, ICLR 2019).

    Args:
        doubt, score: (n,), as above; scores 0 .. 1.
    """
    _, group = np.unique(doubt, return_inverse=True)
    loss = 1 - score
    means = np.bincount(group, loss) / np.bincount(group)
    ordered = means[np.sort(group)]
    return float((np.cumsum(ordered) / np.arange(1, len(ordered) + 1)).mean())
