"""A small run of the simulation behind the choice of the interval: coverage and width of the methods."""

import pytest

from helpers.dev.measure import interval_simulation as module
from helpers.dev.measure.interval_simulation import (
    METHODS,
    POPULATIONS,
    simulate,
    simulate_differences,
    simulate_distances,
)

LOGIT = "Student's t, logit scale"


@pytest.mark.parametrize("patients", [5, 8, 20])
@pytest.mark.parametrize("population", POPULATIONS[:3], ids=lambda one: one.name)
def test_the_kits_interval_holds_what_it_claims(population, patients):
    found = simulate(population, patients, 1000, 0, [LOGIT])[LOGIT]
    assert 0.92 <= found.coverage <= 0.98 and 0.05 < found.width < 0.26


def test_others_hold_less_where_scores_are_skewed(monkeypatch):
    monkeypatch.setattr(module, "DRAWS", 200)
    found = simulate(POPULATIONS[2], 8, 400, 0)
    assert list(found) == list(METHODS)
    assert found[LOGIT].coverage > found["Student's t"].coverage > found["percentile bootstrap"].coverage
    assert found["BCa bootstrap"].coverage < 0.9 and found["Student's t, arcsine scale"].width < found[LOGIT].width


def test_paired_differences_and_distances():
    assert 0.9 <= simulate_differences(POPULATIONS[1], 8, 1000, 0).coverage <= 0.97
    distances = simulate_distances(0.7, 8, 1000, 0)
    assert 0.89 <= distances["Student's t, log scale"].coverage > distances["Student's t"].coverage


def test_the_table_has_a_row_for_each_method_of_each_population(monkeypatch):
    monkeypatch.setattr(module, "DRAWS", 20)
    lines = module.table(10, 0).splitlines()
    assert len(lines) == 2 + len(POPULATIONS) * len(METHODS) + 3 + 4
    assert all(line.count("|") == 8 for line in lines) and " %, 0." in lines[2]
