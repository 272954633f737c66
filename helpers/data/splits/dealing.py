"""Deals patients into parts, by shares or into folds: at random under a seed, in strata where there are enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.splits.split import TRAIN

FEWEST_IN_FOLD = 2
"""Patients for each of the folds that strata are dealt into: with fewer, no fold can be like another."""

_THIRDS = 3


@dataclass(frozen=True)
class Dealt:
    """Patients in parts.

    Attributes:
        parts: name -> patients, in the order given.
        strata: what the parts are alike in, or why in nothing.
    """

    parts: Mapping[str, tuple[str, ...]] = field(repr=False)
    strata: str


def deal(
    patients: Sequence[str],
    shares: Mapping[str, int],
    *,
    seed: int,
    vessel: Sequence[float | None],
    trained: frozenset[str] = frozenset(),
) -> Dealt:
    """Deal patients into parts of given shares.

    Args:
        patients: of each frame, (n,); the order of their first frames counts, so give frames in an order that stays.
        shares: name of a part -> per cent of the patients; together 100. `train` among them takes who is left.
        seed: the same one gives the same parts.
        vessel: share of each frame that is vessel, 0..1; None where unknown, (n,).
        trained: patients that training saw: they go to `train` alone.
    Raises:
        RefusedInput: where there are fewer patients than parts, or none for a part that training never saw.
    """
    known = list(dict.fromkeys(patients))
    if trained:
        return _dealt_beside(known, shares, seed, trained)
    folds = 100 // gcd(*shares.values())
    labels, strata = _strata(patients, vessel, folds)
    if labels is None:
        return Dealt(_drawn_parts(known, _counts(len(known), shares), seed), strata)
    dealt = _folds(patients, labels, folds, seed)
    parts: dict[str, list[str]] = {name: [] for name in shares}
    start = 0
    for name, share in shares.items():
        for one in dealt[start : start + share * folds // 100]:
            parts[name] += one
        start += share * folds // 100
    return Dealt(_in_order(parts, known), strata)


def deal_folds(
    patients: Sequence[str],
    folds: int,
    *,
    seed: int,
    vessel: Sequence[float | None],
    trained: frozenset[str] = frozenset(),
) -> Dealt:
    """Deal patients into folds, `fold1` and so on; those that training saw stand apart, as `train`. As `deal`."""
    frames = [(one, share) for one, share in zip(patients, vessel, strict=True) if one not in trained]
    free, of_free = [one for one, _ in frames], [share for _, share in frames]
    known, names = list(dict.fromkeys(free)), [f"fold{number}" for number in range(1, folds + 1)]
    _require(len(known), folds, trained)
    labels, strata = _strata(free, of_free, folds)
    if labels is None:
        even = {name: len(known) // folds + (place < len(known) % folds) for place, name in enumerate(names)}
        parts = _drawn_parts(known, even, seed)
    else:
        parts = _in_order(dict(zip(names, _folds(free, labels, folds, seed), strict=True)), known)
    seen = {one for one in patients if one in trained}
    apart = {TRAIN: tuple(one for one in dict.fromkeys(patients) if one in seen)} if seen else {}
    return Dealt({**apart, **parts}, strata)


def _dealt_beside(known: Sequence[str], shares: Mapping[str, int], seed: int, trained: frozenset[str]) -> Dealt:
    """Parts whose `train` holds the trained patients; the others get their share of all, as far as there are others."""
    free = [one for one in known if one not in trained]
    others = {name: share for name, share in shares.items() if name != TRAIN}
    _require(len(free), len(others), trained)
    wanted = _counts(len(known), shares)
    counts = {name: wanted[name] for name in others}
    if sum(counts.values()) > len(free):  # all that are left test and choose, in the same proportion
        whole = sum(others.values())
        counts = _largest_remainders(len(free), {name: share / whole for name, share in others.items()})
    left = len(free) - sum(counts.values())
    parts = _drawn_parts(free, {**counts, TRAIN: left}, seed)
    train = {*parts[TRAIN], *(one for one in known if one in trained)}
    ordered = {name: train if name == TRAIN else set(parts[name]) for name in dict.fromkeys((*shares, TRAIN))}
    strata = "none: patients that training saw fix who is left to deal"
    return Dealt({name: tuple(one for one in known if one in ones) for name, ones in ordered.items()}, strata)


def _require(free: int, parts: int, trained: frozenset[str]) -> None:
    if free >= parts:
        return
    if trained:
        left = f"{counted(free, 'patient')} that training never saw"
        who = left if free else "no patient is left that training never saw"
        raise RefusedInput(
            f"expected patients that training never saw for each of {counted(parts, 'part')}, found {who} beside "
            f"{counted(len(trained), 'TRAINING patient')}. Take other patients for the test: a test on TRAINING "
            "patients says nothing about new ones"
        )
    raise RefusedInput(f"expected a patient for each of {counted(parts, 'part')}, found {free}. Ask for fewer parts")


def _counts(patients: int, shares: Mapping[str, int]) -> dict[str, int]:
    _require(patients, len(shares), frozenset())
    return _largest_remainders(patients, {name: share / 100 for name, share in shares.items()})


def _largest_remainders(number: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers near the shares that make up `number`; one at least for each."""
    counts = {name: max(1, int(number * share)) for name, share in shares.items()}
    while sum(counts.values()) != number:
        step = 1 if sum(counts.values()) < number else -1
        movable = [name for name in counts if step > 0 or counts[name] > 1]
        name = max(movable, key=lambda one: step * (number * shares[one] - counts[one]))
        counts[name] += step
    return counts


def _drawn_parts(patients: Sequence[str], counts: Mapping[str, int], seed: int) -> dict[str, tuple[str, ...]]:
    """So many patients for each part, drawn at random, in the order given."""
    shuffled = [patients[place] for place in np.random.default_rng(seed).permutation(len(patients))]
    parts, start = {}, 0
    for name, count in counts.items():
        parts[name] = shuffled[start : start + count]
        start += count
    return _in_order(parts, patients)


def _in_order(parts: Mapping[str, Sequence[str]], known: Sequence[str]) -> dict[str, tuple[str, ...]]:
    places = {patient: place for place, patient in enumerate(known)}
    return {name: tuple(sorted(ones, key=places.__getitem__)) for name, ones in parts.items()}


def _strata(patients: Sequence[str], vessel: Sequence[float | None], folds: int) -> tuple[np.ndarray | None, str]:
    """The third of each frame by its share of vessel, int (n,), or None for too few patients; and the words for it."""
    count = len(set(patients))
    if count < FEWEST_IN_FOLD * folds:
        needed = FEWEST_IN_FOLD * folds
        return None, f"none: {counted(count, 'patient')}, fewer than the {needed} for {folds} folds that are alike"
    if any(share is None for share in vessel):
        return np.zeros(len(patients), int), "number of frames alone, since not every frame has a ground truth"
    shares = np.array(vessel, float)
    labels = np.searchsorted(np.quantile(shares, [1 / _THIRDS, 2 / _THIRDS]), shares)
    found = [len({one for one, own in zip(patients, labels, strict=True) if own == label}) for label in range(_THIRDS)]
    if min(found) < folds:
        return np.zeros(len(patients), int), (
            "number of frames alone, since a third by share of vessel holds frames of fewer than "
            f"{counted(folds, 'patient')}"
        )
    return labels, "thirds of the frames by share of vessel in the ground truth, and number of frames"


def _folds(patients: Sequence[str], labels: np.ndarray, folds: int, seed: int) -> list[list[str]]:
    from sklearn.model_selection import StratifiedGroupKFold  # here, since it takes a second to load

    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    groups = np.array(patients, object)
    return [sorted(set(groups[test])) for _, test in dealer.split(np.zeros(len(groups)), labels, groups)]
