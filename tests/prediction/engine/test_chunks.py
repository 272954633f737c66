"""Groups and chunks of a batch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.prediction.engine.chunks import chunks, image_chunks, length_groups


def test_near_lengths_go_together_and_far_ones_apart():
    assert length_groups([300, 1000, 310, 990], 0.1) == [[0, 2], [3, 1]]
    assert length_groups([5, 6, 5], 0) == [[0, 2], [1]]
    assert length_groups([5, 5, 5], 0) == [[0, 1, 2]]
    assert length_groups([], 0) == []


@given(st.lists(st.integers(1, 5000), max_size=30))
def test_every_prompt_is_in_one_group_with_little_padding(lengths):
    groups = length_groups(lengths, 0.1)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        real = [lengths[index] for index in group]
        assert max(real) * len(real) <= 1.1 * sum(real) + 1e-6


def test_chunks_cover_all_in_order():
    assert [(part.start, part.stop) for part in chunks(5, 2)] == [(0, 2), (2, 4), (4, 5)]
    assert list(chunks(0, 2)) == []


@pytest.mark.parametrize(
    ("counts", "expected"), [([1, 1, 1], [[0, 1], [2]]), ([3, 1, 1], [[0], [1, 2]]), ([1, 5], [[0], [1]]), ([], [])]
)
def test_images_are_never_split(counts, expected):
    assert list(image_chunks(counts, 2)) == expected
