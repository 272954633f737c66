"""Which status wins."""

import pytest

from helpers.inference.status import PredictionStatus, status_of


@pytest.mark.parametrize(
    ("finite", "truncated", "seg_count", "fraction", "expected"),
    [
        (True, False, 1, 0.05, "ok"),
        (True, False, 2, 0.05, "several_seg"),
        (True, False, 0, None, "no_seg"),
        (True, False, 1, 0.0, "empty_mask"),
        (True, False, 1, 0.6, "ok"),
        (True, False, 1, 0.61, "full_mask"),
        (True, False, 2, 0.0, "empty_mask"),
        (True, True, 1, 0.05, "truncated"),
        (True, True, 0, None, "truncated"),
        (False, True, 1, None, "nan_logits"),
    ],
)
def test_status(finite, truncated, seg_count, fraction, expected):
    found = status_of(finite=finite, truncated=truncated, seg_count=seg_count, mask_fraction=fraction)
    assert found is PredictionStatus(expected)
