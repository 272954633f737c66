"""How many patients an interval needs: by hand, and more where the pilot's spread is uncertain."""

import numpy as np
import pytest

from helpers.metrics.sample_size import PatientsNeeded, patients_needed, smallest_number, spread_bound


def test_by_hand():
    """Spread 0.08, half width 0.02. 63 patients reach t(62) 0.08 / sqrt(63) = 1.999 * 0.01008 = 0.02015, 64 reach
    1.9983 * 0.01 = 0.01998."""
    assert smallest_number(0.08, 0.02) == 64
    assert smallest_number(0.0, 0.02) == 2
    assert smallest_number(0.02, 1.0) == 2  # t(1) 0.02 / sqrt(2) = 12.706 * 0.01414 = 0.18


def test_a_pilot_of_ten_gives_the_number_and_what_it_may_come_to():
    """Ten patients at 0.7 and 0.86: s = 0.08 sqrt(10 / 9) = 0.0843. Two values have the kurtosis 1; with z = 1.2816 the
    factor is 10 / (10 - z) = 1.1470, the error 1.1470 sqrt((1 - 7 / 10) / 9) = 0.2094, and the bound
    s sqrt(1.1470 exp(z 0.2094)).
    """
    pilot = np.array([0.7, 0.86] * 5)
    small, large = patients_needed(pilot)
    assert (small.half_width, large.half_width) == (0.02, 0.05)
    assert small.patients == smallest_number(0.0843274, 0.02) == 71
    assert small.up_to == smallest_number(0.0843274 * np.sqrt(1.1470 * np.exp(1.2816 * 0.20941)), 0.02) == 105
    assert patients_needed(np.append(pilot, np.nan), (0.05,)) == [PatientsNeeded(0.05, large.patients, large.up_to)]


def test_a_patient_far_below_the_others_makes_the_spread_less_certain():
    even = np.linspace(0.8, 0.9, 20)
    far = np.append(even[:-1], 0.3)
    both = np.stack([even, far], axis=1)
    ratios = spread_bound(both) / both.std(axis=0, ddof=1)
    assert 1.1 < ratios[0] < 1.3 < 1.5 < ratios[1] and spread_bound(far) == pytest.approx(spread_bound(both)[1])


@pytest.mark.parametrize("patients", [0, 9])
def test_fewer_than_ten_patients_tell_nothing(patients):
    assert patients_needed(np.linspace(0.6, 0.9, patients)) == patients_needed(np.full(12, 0.7)) == []
