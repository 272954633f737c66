"""The box around both masks, with a border."""

import numpy as np

from helpers.metrics.masks import bounding_box, crop_pair
from tests.support.drawn_masks import bar


def test_box_of_a_bar():
    assert bounding_box(bar(9, 9, rows=slice(2, 4), columns=slice(3, 8))) == (slice(2, 4), slice(3, 8))


def test_an_empty_mask_has_an_empty_box():
    assert bounding_box(np.zeros((5, 5), bool)) == (slice(0, 0), slice(0, 0))


def test_a_pair_is_cut_to_the_union_and_bordered():
    first = bar(9, 9, rows=slice(0, 1), columns=slice(0, 9))
    second = bar(9, 9, rows=slice(3, 4), columns=slice(4, 5))
    one, other = crop_pair(first, second)
    assert one.shape == other.shape == (6, 11)
    assert one.sum() == 9 and other[4, 5] and other.sum() == 1
    assert not (one[0].any() or one[-1].any() or one[:, 0].any() or one[:, -1].any())
