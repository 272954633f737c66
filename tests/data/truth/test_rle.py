"""Run-length codes: round trips, and refusal before anything is drawn."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from helpers.data.truth.polygons import draw_polygons
from helpers.data.truth.rle import BadRle, decode, encode
from tests.data.truth.test_polygons import triangles

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(masks)
@settings(max_examples=60, deadline=None)
def test_mask_to_code_and_back(mask):
    code = encode(mask)
    assert code["size"] == list(mask.shape)
    assert (decode(code) == mask).all()
    assert (coco_mask.decode(code) == mask).all()


@given(masks)
@settings(max_examples=60, deadline=None)
def test_plain_counts_to_mask(mask):
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat]).astype(int)))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    assert (decode({"size": list(mask.shape), "counts": counts}) == mask).all()


@given(st.lists(triangles(), max_size=3))
@settings(max_examples=30, deadline=None)
def test_polygons_to_mask_to_code_to_mask(polygons):
    mask = draw_polygons(polygons, 24, 18)
    assert (decode(encode(mask)) == mask).all()


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ({"size": [2, 3], "counts": [1, 2]}, "cover 3 pixels"),
        ({"size": [2, 3], "counts": [7, -1]}, "not negative"),
        ({"size": [2, 3], "counts": [1.5, 4.5]}, "whole numbers"),
        ({"size": [2, 3]}, "counts"),
        ({"counts": [6]}, "size"),
        ({"size": [2, "3"], "counts": [6]}, "size"),
        ({"size": [100_000, 100_000], "counts": [10_000_000_000]}, "too large"),
        ({"size": [2, 3], "counts": "\u00ff"}, "character"),
        ({"size": [2, 3], "counts": "PPPPPPPPPPPPPPPP"}, "number"),
        ({"size": [2, 3], "counts": "P"}, "cut short"),
    ],
)
def test_damaged_codes_are_refused(code, problem):
    with pytest.raises(BadRle, match=problem):
        decode(code)


@given(st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_text_is_decoded_or_refused(text):
    with contextlib.suppress(BadRle):
        assert decode({"size": [4, 4], "counts": text}).shape == (4, 4)
