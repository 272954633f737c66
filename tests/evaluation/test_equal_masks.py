"""Which masks equal the ground truth to the pixel."""

import pandas as pd
import pytest

from helpers.evaluation.equal_masks import equal_mask_warnings


def scores(*rows):
    return pd.DataFrame(rows, columns=["tp", "fp", "fn"])


EQUAL, CLOSE, SMALL, EMPTY = (900, 0, 0), (900, 1, 0), (20, 0, 0), (0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((EQUAL, CLOSE, SMALL, EMPTY), "a: 1 of 2 masks with vessels equal"),
        ((EQUAL, EQUAL), "a: 2 of 2 masks with vessels equal"),
        ((EQUAL,), "a: 1 of 1 mask with vessels equal"),
        ((CLOSE, SMALL, EMPTY, (0, 900, 0)), None),
    ],
)
def test_only_masks_that_no_chance_makes_equal_are_told(rows, said):
    warnings = equal_mask_warnings({"a": scores(*rows), "b": scores(CLOSE)}, ())
    assert [text.startswith(said) for text in warnings] == ([] if said is None else [True])


def test_a_run_that_the_truth_is_known_to_have_begun_from_says_so_already():
    assert equal_mask_warnings({"a": scores(EQUAL)}, {"a"}) == []
