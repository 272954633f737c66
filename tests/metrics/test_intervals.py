"""Intervals: reproducible, as scipy's, honest about few units, and with the coverage that they claim."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from helpers.dev.measure.coverage_simulation import simulate
from helpers.metrics.intervals import DRAWS, Interval, drawn_units, mean_interval, ratio_interval

VALUES = np.random.default_rng(11).beta(8, 2, size=36)


def test_the_same_seed_gives_the_same_interval():
    assert mean_interval(VALUES) == mean_interval(VALUES)
    assert mean_interval(VALUES) != mean_interval(VALUES, seed=1)
    assert (mean_interval(VALUES).draws, mean_interval(VALUES).level) == (10_000, 0.95)


def test_agrees_with_scipy_for_independent_units():
    found = mean_interval(VALUES)
    expected = bootstrap((VALUES,), np.mean, n_resamples=DRAWS, method="percentile", rng=0).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.002)
    assert found.estimate == pytest.approx(VALUES.mean()) and found.low < found.estimate < found.high


def test_units_without_a_value_are_left_out():
    assert mean_interval(np.append(VALUES, np.nan)) == mean_interval(VALUES)


@pytest.mark.parametrize(("units", "few"), [(9, True), (10, False)])
def test_fewer_than_ten_units_are_flagged(units, few):
    assert mean_interval(VALUES[:units]).few is few


def test_one_unit_and_none():
    one = mean_interval(np.array([0.8]))
    assert (one.estimate, one.low, one.high, one.units) == (0.8, None, None, 1)
    assert mean_interval(np.array([np.nan])).estimate is None


def test_equal_units_have_no_width():
    found = mean_interval(np.full(12, 0.5))
    assert (found.estimate, found.low, found.high) == (0.5, 0.5, 0.5)


def test_a_pooled_ratio_weighs_units_by_size():
    found = ratio_interval(np.array([10, 0, 10]), np.array([10, 80, 10]))
    assert found.estimate == pytest.approx(0.2)
    assert found.low == 0 and found.high == 1  # the large unit drawn always, or never


def test_a_ratio_does_not_depend_on_the_unit_of_its_parts():
    tops, bottoms = np.array([1.0, 3.0, 2.0]), np.array([4.0, 5.0, 6.0])
    large, small = (ratio_interval(tops / scale, bottoms / scale, draws=50) for scale in (1, 64))
    assert large == small and (large.level, large.draws, large.units) == (0.95, 50, 3)


def test_many_units_are_drawn_in_blocks(monkeypatch):
    whole = mean_interval(VALUES, draws=100)
    monkeypatch.setattr("helpers.metrics.intervals._BLOCK", 36 * 7)
    assert mean_interval(VALUES, draws=100) == whole


def test_resamples_without_a_denominator_are_left_out():
    assert ratio_interval(np.array([0.0, 1.0]), np.array([0.0, 2.0])) == Interval(0.5, 0.5, 0.5, 2)


def test_clusters_cover_the_truth_and_frames_do_not():
    """A small run of helpers/dev/measure/coverage_simulation.py."""
    clusters, frames = simulate(simulations=120, draws=800, seed=0)
    assert 0.90 <= clusters <= 0.99
    assert frames < 0.75


@pytest.mark.parametrize(("room", "rows"), [(1, [1, 1, 1]), (11, [2, 1]), (100, [3])])
def test_blocks_of_draws_hold_whole_draws(monkeypatch, room, rows):
    monkeypatch.setattr("helpers.metrics.intervals._BLOCK", room)
    blocks = list(drawn_units(5, draws=3))
    assert [block.shape for block in blocks] == [(count, 5) for count in rows]
    assert all(block.min() >= 0 and block.max() < 5 for block in blocks)


def test_as_a_part_of_a_row():
    found = mean_interval(np.array([0.2, 0.4]), draws=50)
    assert found.row() == {"mean": pytest.approx(0.3), "low": found.low, "high": found.high, "few": True}
    assert list(found.row("ece")) == ["ece", "low", "high", "few"]
