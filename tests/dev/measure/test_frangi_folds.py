"""The five-fold script: whole units in a fold, and each case scored under settings that did not see it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.data.splits.split import Split
from helpers.dev.measure import frangi_folds
from helpers.dev.measure.frangi_folds import fold_numbers, out_of_fold
from helpers.evaluation import frangi_tuning
from helpers.prediction.frangi import FrangiSettings
from tests.support.drawn_angiograms import drawn_truth, save_pairs


@given(units=st.lists(st.sampled_from("abcdefgh"), min_size=1), seed=st.integers(0, 5))
def test_folds_hold_whole_units_and_are_even(units, seed):
    numbers = pd.Series(fold_numbers(units, 3, seed))
    assert (numbers.groupby(pd.Series(units)).nunique() == 1).all()
    counts = [len({unit for unit, found in zip(units, numbers, strict=True) if found == fold}) for fold in range(3)]
    assert max(counts) - min(counts) <= 1
    assert (fold_numbers(units, 3, seed) == numbers).all()


def test_every_case_is_scored_out_of_its_fold(tmp_path, monkeypatch):
    grid = (FrangiSettings(scales=(4.0,), smallest=0),)
    for module in (frangi_tuning, frangi_folds):
        monkeypatch.setattr(module, "candidates", lambda: grid)
    asked, choose = [], frangi_tuning.choose
    monkeypatch.setattr(frangi_folds, "choose", lambda curves, listed: asked.append(listed) or choose(curves, listed))
    save_pairs(tmp_path, [drawn_truth(4, 64, start) for start in (20, 25, 30)])
    dataset = open_dataset(tmp_path)
    table, lines = out_of_fold(dataset, folds=3, seed=0, processes=1)
    assert len(lines) == 3 and sorted(table["fold"]) == [1, 2, 3]
    for fold, seen in enumerate(asked, start=1):
        assert set(seen["case_id"]) == set(table.loc[table["fold"] != fold, "case_id"])
    assert table["dice"].to_numpy() == pytest.approx(np.ones(3), abs=0.4)
    with pytest.raises(RefusedInput, match="the choice of settings was about to use 1 frame of sealed patients"):
        out_of_fold(with_sealed(dataset), folds=3, seed=0, processes=1)


def with_sealed(dataset):
    """The data set with a first patient who is sealed."""
    first = replace(dataset.cases[0], frame=replace(dataset.cases[0].frame, split="test"))
    rules = replace(dataset.rules, split=Split({"test": ("P1",)}, sealed=("test",)))
    return replace(dataset, cases=(first, *dataset.cases[1:]), rules=rules)
