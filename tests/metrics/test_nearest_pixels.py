"""The nearest pixel of a mask: found at some pixels as by scipy's transform of the whole frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import distance_transform_edt

from helpers.metrics import nearest_pixels as module
from helpers.metrics.nearest_pixels import nearest_distances, nearest_pixels

_MASKS = array_shapes(min_dims=2, max_dims=2, max_side=14).flatmap(
    lambda shape: st.tuples(arrays(bool, shape).filter(np.any), arrays(bool, shape))
)


@pytest.mark.parametrize("searched_share", [0.05, 1e9], ids=["far ones by the transform", "all looked for"])
@given(_MASKS)
def test_the_same_pixel_as_by_a_transform_of_the_whole_frame(searched_share, masks):
    target, at = masks
    distances, (rows, columns) = distance_transform_edt(~target, return_indices=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_SEARCHED_SHARE", searched_share)
        found = nearest_pixels(target, at)
        assert np.array_equal(nearest_distances(target, at), distances[at])
    assert np.array_equal(found, (rows[at], columns[at]))  # of equally near ones the same, too


def test_pixels_that_are_far_and_a_frame_beyond_the_small_integers():
    target, at = np.zeros((2, 9000), bool), np.zeros((2, 9000), bool)
    target[0, [10, 8990]] = at[1, [0, 4500, 4501]] = True
    assert np.array_equal(nearest_pixels(target, at), ([0, 0, 0], [10, 10, 8990]))
