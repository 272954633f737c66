"""How far members differ, on maps of a few pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.prediction.disagreement import MOST_SPREAD, disagreement, spread

MAPS = arrays(np.float32, (2, 3), elements=st.floats(0, 1, width=32))


def test_disagreement_is_with_the_prediction_and_not_among_the_others():
    own, same, half, none = (np.array([row], bool) for row in ([1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]))
    assert disagreement([own, same]) == 0.0 and disagreement([none, none]) == 0.0
    assert disagreement([own, half]) == pytest.approx(0.5), "Dice is 2 * 1 / 4"
    assert disagreement([own, same, none]) == pytest.approx(0.5)
    assert disagreement([own, none, none]) == 1.0


def test_spread_by_hand():
    assert spread([np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]])]).tolist() == [[MOST_SPREAD, 0.0]]


@given(st.lists(MAPS, min_size=2, max_size=5))
def test_spread_is_the_standard_deviation_and_knows_equal_members(members):
    found = spread(members)
    assert found.dtype == np.float32 and found == pytest.approx(np.std(np.asarray(members, np.float64), 0), abs=1e-5)
    assert not spread([members[0]] * 3).any()
    masks = [one > 0.5 for one in members]
    assert 0.0 <= disagreement(masks) <= 1.0 and disagreement([masks[0]] * 3) == 0.0


@pytest.mark.parametrize("members", [[np.zeros((2, 2))], [np.zeros((2, 2)), np.zeros((2, 3))]])
def test_members_that_cannot_be_compared_are_refused(members):
    with pytest.raises(ValueError, match="at least two maps of one size"):
        disagreement(members)
