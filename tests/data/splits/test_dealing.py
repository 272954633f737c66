"""Patients dealt into parts: each once, in the shares asked for, the same under a seed."""

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.splits.dealing import deal, deal_folds

TWELVE = [f"P{number}" for number in range(12) for _ in range(3)]  # three frames each
SHARES = {"train": 70, "dev": 10, "test": 20}


def sizes(dealt):
    return {name: len(ones) for name, ones in dealt.parts.items()}


def whole(dealt):
    return sorted(one for ones in dealt.parts.values() for one in ones)


def test_few_patients_are_dealt_by_their_number_and_the_seed_decides():
    dealt = deal(TWELVE, SHARES, seed=1, vessel=[0.1] * 36)
    assert sizes(dealt) == {"train": 8, "dev": 1, "test": 3} and whole(dealt) == sorted(set(TWELVE))
    assert dealt.strata == "none: 12 patients, fewer than the 20 for 10 folds that are alike"
    assert deal(TWELVE, SHARES, seed=1, vessel=[0.1] * 36) == dealt
    assert deal(TWELVE, SHARES, seed=2, vessel=[0.1] * 36).parts != dealt.parts


def test_strata_put_thin_and_thick_vessels_on_both_sides():
    patients = [f"P{number:02d}" for number in range(30) for _ in range(2)]
    vessel = [(0.02, 0.05, 0.09)[number % 3] for number in range(30) for _ in range(2)]
    dealt = deal(patients, {"train": 50, "test": 50}, seed=0, vessel=vessel)
    assert dealt.strata.startswith("thirds of the frames by share of vessel")
    of_thirds = [sorted(int(one[1:]) % 3 for one in ones) for ones in dealt.parts.values()]
    assert of_thirds == [[0] * 5 + [1] * 5 + [2] * 5] * 2
    without = deal(patients, {"train": 50, "test": 50}, seed=0, vessel=[None, *vessel[1:]])
    assert without.strata.startswith("number of frames alone, since not every frame") and sizes(without)["test"] == 15


def test_a_third_of_few_patients_is_no_stratum():
    patients = [f"P{number:02d}" for number in range(8) for _ in range(9)]
    dealt = deal_folds(patients, 4, seed=0, vessel=[0.3 if one == "P00" else 0.1 for one in patients])
    assert dealt.strata.startswith("number of frames alone, since a third") and set(sizes(dealt).values()) == {2}


def test_trained_patients_train_only_and_the_others_test():
    trained = frozenset(f"P{number}" for number in range(9))
    dealt = deal(TWELVE, SHARES, seed=0, vessel=[0.1] * 36, trained=trained)
    assert set(dealt.parts["train"]) == trained and sizes(dealt) == {"train": 9, "dev": 1, "test": 2}
    assert not trained & {*dealt.parts["dev"], *dealt.parts["test"]} and whole(dealt) == sorted(set(TWELVE))
    folds = deal_folds(TWELVE, 3, seed=0, vessel=[0.1] * 36, trained=trained)
    assert sizes(folds) == {"train": 9, "fold1": 1, "fold2": 1, "fold3": 1} and set(folds.parts["train"]) == trained


def test_where_nobody_is_left_for_the_test_it_is_said():
    with pytest.raises(RefusedInput, match="no patient is left that training never saw beside 12 TRAINING patients"):
        deal(TWELVE, SHARES, seed=0, vessel=[0.1] * 36, trained=frozenset(TWELVE))
    with pytest.raises(RefusedInput, match="1 patient that training never saw beside 11"):
        deal_folds(TWELVE, 2, seed=0, vessel=[0.1] * 36, trained=frozenset(TWELVE) - {"P3"})
    with pytest.raises(RefusedInput, match="a patient for each of 3 parts, found 2"):
        deal(["P1", "P2"], SHARES, seed=0, vessel=[0.1, 0.2])
