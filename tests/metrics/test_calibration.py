"""Reliability and temperature: by hand, on simulated pixels that are what they say, and on ones that are too sure."""

import numpy as np
import pytest
from scipy.special import expit, logit

from helpers.core.errors import RefusedInput
from helpers.metrics.calibration import calibration, fit_temperature, scaled_by_folds, scaled_on_development
from helpers.metrics.intervals import Method, drawn_units
from helpers.metrics.threshold_curve import ChosenBy, LogitHistogram, UnitHistograms, logit_histogram

DRAWS = 200


def units(*histograms):
    names = tuple(f"P{number}" for number in range(len(histograms)))
    vessel, background = (np.stack([getattr(one, part) for one in histograms]) for part in ("vessel", "background"))
    return UnitHistograms(names, vessel, background, cases=len(histograms))


def simulated(seed, temperature=1.0):
    """300 x 300 pixels whose logits, divided by `temperature`, are the chance of being vessel."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(-1, 2, (300, 300))
    truth = rng.random(honest.shape) < expit(honest)
    return logit_histogram(truth, honest * temperature)


def test_by_hand():
    chances = np.array([[0.2, 0.2, 0.9, 0.9]])
    found = calibration(units(logit_histogram(np.array([[0, 1, 1, 1]], bool), logit(chances))), draws=DRAWS)
    assert found.reliability.predicted == pytest.approx([0.2, 0.9], abs=5e-4)
    assert found.reliability.observed.tolist() == [0.5, 1.0] and found.reliability.pixels.tolist() == [2, 2]
    assert found.ece.estimate == pytest.approx((0.3 + 0.1) / 2, abs=5e-4) and found.ece.low is None
    assert found.ece_equal_mass == pytest.approx(found.ece.estimate)
    assert found.brier.estimate == pytest.approx((0.2**2 + 0.8**2 + 0.1**2 + 0.1**2) / 4, abs=1e-3)
    assert found.brier_of_share == pytest.approx(0.75 * 0.25)
    expected = -np.mean(np.log([0.8, 0.2, 0.9, 0.9]))
    assert found.nll.estimate == pytest.approx(expected, abs=1e-3)


def test_probabilities_that_are_what_they_say_have_no_error():
    found = calibration(units(*(simulated(seed) for seed in range(4))), draws=DRAWS)
    assert found.ece.estimate < 0.004 and found.ece_equal_mass < 0.004
    assert found.reliability.observed == pytest.approx(found.reliability.predicted, abs=0.02)
    assert found.brier.estimate < found.brier_of_share


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(temperature):
    assert fit_temperature(simulated(1, temperature)) == pytest.approx(temperature, rel=0.03)


def test_scaling_mends_a_model_that_is_too_sure():
    sure = units(*(simulated(seed, 3.0) for seed in range(3)))
    for found in (
        scaled_on_development(sure, units(simulated(9, 3.0)), draws=DRAWS),
        scaled_by_folds(sure, draws=DRAWS),
    ):
        assert found.temperature == pytest.approx(3, rel=0.05)
        assert found.before.ece.estimate > 0.05 and found.after.ece.estimate < 0.01
        assert found.after.nll.estimate < found.before.nll.estimate


def test_each_fold_is_scaled_with_the_temperature_of_the_rest():
    """Two units of different temperatures take each other's."""
    found = scaled_by_folds(units(simulated(1, 2.0), simulated(2, 0.5)), draws=DRAWS)
    assert sorted(found.fold_temperatures) == pytest.approx([0.5, 2.0], rel=0.03)
    assert found.chosen_by is ChosenBy.CROSS_VALIDATION
    assert found.after.nll.estimate > found.before.nll.estimate
    with pytest.raises(RefusedInput, match="at least 2"):
        scaled_by_folds(units(simulated(1)))


def test_perfect_masks_take_the_end_of_the_range():
    truth = np.eye(4, dtype=bool)
    assert fit_temperature(logit_histogram(truth, np.where(truth, 0.5, -0.5))) == pytest.approx(1 / 20)
    assert fit_temperature(logit_histogram(~truth, np.where(truth, 0.5, -0.5))) == pytest.approx(20)


def test_an_interval_draws_units():
    """Units that err to either side: the pooled error is small, that of draws is larger."""
    vessel, background = np.zeros(8193, np.int64), np.zeros(8193, np.int64)
    vessel[4096], background[4096] = 100, 100
    low, high = LogitHistogram(vessel // 2, background * 3 // 2), LogitHistogram(vessel * 3 // 2, background // 2)
    found = calibration(units(*[low, high] * 5), draws=DRAWS)
    assert found.ece.estimate < 0.001 and found.ece.high > 0.08 and found.ece.units == 10


def test_bins_of_equal_mass_hold_equal_numbers_of_pixels():
    """Thirty pixels of about one half, by turns background and vessel: the two of each bin are right together."""
    turns = np.arange(30)[None] % 2 == 1
    found = calibration(units(logit_histogram(turns, np.arange(30)[None] / 256)), draws=DRAWS)
    assert found.ece_equal_mass == pytest.approx(0, abs=0.015)
    chances = np.array([[0.2, 0.2, 0.8, 0.8]])
    opposite = calibration(units(logit_histogram(np.array([[0, 1, 0, 1]], bool), logit(chances))), draws=DRAWS)
    assert opposite.ece_equal_mass == pytest.approx((0.3 + 0.3) / 2, abs=5e-4)


def test_the_interval_of_errors_to_one_side_is_that_of_a_ratio():
    """All pixels in one bin and too sure: the error is the sum of the gaps by the sum of the pixels."""
    vessel, background = np.zeros((12, 8193), np.int64), np.zeros((12, 8193), np.int64)
    vessel[:, 4096], background[:, 4096] = np.arange(12), 30 - np.arange(12)
    found = calibration(UnitHistograms(tuple("abcdefghijkl"), vessel, background, cases=12), draws=DRAWS, seed=5)
    chance = expit(-0.5 / 256)
    (picked,) = drawn_units(12, draws=DRAWS, seed=5)
    expected = np.quantile((chance - np.arange(12) / 30)[picked].mean(axis=1), [0.025, 0.975])
    assert (found.ece.low, found.ece.high) == pytest.approx(tuple(expected))
    assert (found.ece.level, found.ece.method, found.ece.units) == (0.95, Method.PERCENTILE, 12)


def test_the_last_two_bins_of_equal_mass_stay_apart():
    """Thirty pixels of about one half in fifteen pairs: the last pair but one is background, the last one vessel."""
    truth = np.arange(30)[None] % 2 == 1
    truth[0, -4:] = [False, False, True, True]
    found = calibration(units(logit_histogram(truth, np.arange(30)[None] / 256)), draws=DRAWS)
    assert found.ece_equal_mass == pytest.approx((1 + 1) / 30, abs=0.015)


def test_ten_units_have_an_interval_of_their_error_and_nine_have_none():
    """The error is no mean, so that its percentiles need more units than the Brier score's interval."""
    one, two = simulated(1, 1.0), simulated(2, 1.0)
    found = [calibration(units(*[one] * count, two), draws=DRAWS) for count in (8, 9)]
    assert [each.ece.method for each in found] == [None, Method.PERCENTILE] and found[0].ece.low is None
    assert found[0].brier.method is Method.LOGIT_T and found[0].nll.method is Method.LOG_T
    equal = calibration(units(*[one] * 10), draws=DRAWS)
    assert [(each.method, each.low) for each in (equal.ece, equal.brier, equal.nll)] == [(Method.EQUAL, None)] * 3


def test_what_is_shown_holds_no_bins():
    some = units(simulated(1), simulated(2))
    assert "array" not in repr(some) + repr(calibration(some, draws=10))


def test_the_last_bins_of_equal_width_stay_apart_and_hold_certain_pixels():
    chances = np.array([[0.9, 0.9, 0.97, 0.97]])
    histogram = units(logit_histogram(np.array([[1, 1, 1, 0]], bool), logit(chances)))
    assert calibration(histogram, draws=DRAWS).reliability.predicted == pytest.approx([0.9, 0.97], abs=5e-4)
    certain = calibration(histogram, 1 / 20, draws=DRAWS).reliability
    assert certain.predicted == pytest.approx([1.0]) and certain.observed.tolist() == [0.75]
