"""A small run of the simulation behind the choice of the interval: coverage and width of the methods."""

import numpy as np
import pytest

from helpers.dev.measure import interval_simulation as module
from helpers.dev.measure.interval_simulation import (
    FRAMES,
    METHODS,
    simulate,
    simulate_differences,
    simulate_distances,
    simulate_pooled,
)
from helpers.dev.measure.simulated_scores import POPULATIONS
from helpers.dev.measure.spread_bounds import BOUNDS, bound_rows, held

LOGIT = "Student's t, logit scale"


@pytest.mark.parametrize("patients", [5, 8, 20])
@pytest.mark.parametrize("population", POPULATIONS[:3], ids=lambda one: one.name)
def test_the_kits_interval_holds_what_it_claims(population, patients):
    found = simulate(population, patients, 1000, 0, [LOGIT])[LOGIT]
    assert 0.92 <= found.coverage <= 0.98 and 0.05 < found.width < 0.26


def test_others_hold_less_where_scores_are_skewed(monkeypatch):
    monkeypatch.setattr(module, "DRAWS", 200)
    found = simulate(POPULATIONS[2], 8, 400, 0)
    assert list(found) == [*METHODS, FRAMES] and found[FRAMES].coverage < 0.5
    assert found[LOGIT].coverage > found["Student's t"].coverage > found["percentile bootstrap"].coverage
    assert found["BCa bootstrap"].coverage < 0.9 and found["Student's t, arcsine scale"].width < found[LOGIT].width


def test_paired_differences_and_distances():
    assert 0.9 <= simulate_differences(POPULATIONS[1], 8, 1000, 0).coverage <= 0.97
    distances = simulate_distances(0.7, 8, 1000, 0)
    assert 0.89 <= distances["Student's t, log scale"].coverage > distances["Student's t"].coverage


def test_pooled_ratios_of_unequal_patients_need_the_effective_number():
    ours, plain = simulate_pooled(POPULATIONS[0], 5, 1000, 0).values()
    assert plain.coverage < 0.93 < ours.coverage < 0.97 and plain.width < ours.width


def test_the_bound_of_the_spread_is_sure_enough_of_skewed_scores():
    found = held(POPULATIONS[2], 20, 500, 0)
    assert found["Bonett, 90 %"][0] > 0.77 > 0.72 > found["chi-square, 80 %"][0]


def test_names_and_spreads_of_the_populations():
    assert [one.name for one in POPULATIONS] == [
        "mean 0.75, SD 0.08, skew -0.4",
        "mean 0.85, SD 0.10, skew -1.0",
        "mean 0.92, SD 0.08, skew -1.6",
        "mean 0.95, SD 0.08, skew -2.7",
    ]
    drawn = POPULATIONS[1].drawn(200, 50, np.random.default_rng(0)).means
    assert drawn.std() == pytest.approx(POPULATIONS[1].spread, rel=0.03)


def test_the_tables_have_a_row_for_each_method_of_each_population(monkeypatch):
    monkeypatch.setattr(module, "DRAWS", 20)
    rows = module.interval_rows(10, 0)
    assert len(rows) == 1 + len(POPULATIONS) * (len(METHODS) + 1) + 3 + 4
    assert all(len(row) == 7 for row in rows) and " %, 0." in rows[1][2]
    assert len(module.pooled_rows(10, 0)) == 1 + 2 * len(POPULATIONS)
    assert len(bound_rows(10, 0)) == 1 + len(BOUNDS) * len(POPULATIONS)
