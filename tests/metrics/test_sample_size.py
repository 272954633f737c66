"""How many patients an interval needs: by hand, and more where the pilot's spread is uncertain."""

import numpy as np
import pytest

from helpers.metrics.sample_size import PatientsNeeded, patients_needed, smallest_number


def test_by_hand():
    """Spread 0.08, half width 0.02. 63 patients reach t(62) 0.08 / sqrt(63) = 1.999 * 0.01008 = 0.02015, 64 reach
    1.9983 * 0.01 = 0.01998."""
    assert smallest_number(0.08, 0.02) == 64
    assert smallest_number(0.0, 0.02) == 2
    assert smallest_number(0.02, 1.0) == 2  # t(1) 0.02 / sqrt(2) = 12.706 * 0.01414 = 0.18


def test_a_pilot_of_ten_gives_the_number_and_what_it_may_come_to():
    """Ten patients at 0.7 and 0.86: s = 0.08 sqrt(10 / 9) = 0.0843; its bound s sqrt(9 / chi2(0.2, 9) = 9 / 5.380)."""
    pilot = np.array([0.7, 0.86] * 5)
    small, large = patients_needed(pilot)
    assert (small.half_width, large.half_width) == (0.02, 0.05)
    assert small.patients == smallest_number(0.0843274, 0.02) == 71
    assert small.up_to == smallest_number(0.0843274 * np.sqrt(9 / 5.38005), 0.02) == 117
    assert patients_needed(np.append(pilot, np.nan), (0.05,)) == [PatientsNeeded(0.05, large.patients, large.up_to)]


@pytest.mark.parametrize("patients", [0, 9])
def test_fewer_than_ten_patients_tell_nothing(patients):
    assert patients_needed(np.linspace(0.6, 0.9, patients)) == []
