"""The rasteriser: pixel centres, union, and its agreement with another away from the outline."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask
from skimage.draw import polygon2mask

from helpers.data.truth.shapes import BadRle, decode, draw_polygons, enclosed, encode, polygon_problems

WIDTH, HEIGHT = 24, 18

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40))


@st.composite
def triangles(draw, width=WIDTH, height=HEIGHT):
    xs, ys = st.integers(0, width * 4), st.integers(0, height * 4)
    return tuple(draw(axis) / 4 for _ in range(3) for axis in (xs, ys))


def test_a_pixel_belongs_to_the_polygon_if_its_centre_does():
    mask = draw_polygons([(1, 1, 4, 1, 4, 3, 1, 3)], 6, 4)
    assert mask.dtype == bool
    assert mask.astype(int).tolist() == [[0] * 6, [0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0] * 6]


def test_centres_decide_between_whole_coordinates():
    mask = draw_polygons([(1.6, 0, 3.4, 0, 3.4, 2, 1.6, 2)], 5, 2)
    assert mask.astype(int).tolist() == [[0, 0, 1, 0, 0]] * 2


def test_the_whole_frame_and_nothing():
    assert draw_polygons([(0, 0, 6, 0, 6, 5, 0, 5)], 6, 5).all()
    assert not draw_polygons([], 6, 5).any()


def test_within_a_pixel_of_the_image_the_polygon_is_clipped():
    outside = (-1, -1, 7, -1, 7, 6, -1, 6)
    assert polygon_problems(outside, 6, 5) == ()
    assert draw_polygons([outside], 6, 5).all()


@pytest.mark.parametrize(
    ("polygon", "problem"),
    [
        ((1, 1, 2, 2), "has 2 points"),
        ((), "has 0 points"),
        ((1, 1), "has 1 point"),
        ((1, 1, 2, 2, 3), "do not make pairs"),
        ((1, 1, float("nan"), 2, 3, 3), "not finite"),
        ((1, 1, float("inf"), 2, 3, 3), "not finite"),
        ((1, 1, 799, 1, 5, 5), "reaches x=799 on a 512 px wide image"),
        ((1, 1, 5, 5, 5, 700), "reaches y=700 on a 512 px high image"),
        ((-3, 1, 5, 5, 5, 7), "reaches x=-3"),
    ],
)
def test_problems_say_what_is_wrong(polygon, problem):
    found = polygon_problems(polygon, 512, 512)
    assert len(found) == 1
    assert problem in found[0].text


@pytest.mark.parametrize("rows", [slice(20, 24), slice(20, 48)])
def test_a_run_length_code_is_no_polygon(rows):
    """The runs of a vessel from side to side all lie within the image, as corners do."""
    mask = np.zeros((48, 64), bool)
    mask[rows] = True
    flat = mask.ravel(order="F")
    ends = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1), flat.size]
    runs = np.diff(ends).tolist()
    assert max(runs) < 48 and len(runs) % 2 == (rows.stop < 48)
    (found,) = polygon_problems(runs, 64, 48)
    assert found.text.startswith(f"is a run-length code in the place of a polygon: its {len(runs)} numbers add up to")
    assert not any("run-length" in one.text for one in polygon_problems(runs[:-1], 64, 48))


@given(st.lists(triangles(), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_several_polygons_are_united(polygons):
    apart = [draw_polygons([polygon], WIDTH, HEIGHT) for polygon in polygons]
    assert (draw_polygons(polygons, WIDTH, HEIGHT) == np.logical_or.reduce(apart)).all()


@given(triangles(12, 10), st.integers(0, 12), st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_a_polygon_moved_by_whole_pixels_gives_a_moved_mask(polygon, right, down):
    moved = tuple(value + (right if axis % 2 == 0 else down) for axis, value in enumerate(polygon))
    expected = np.roll(draw_polygons([polygon], WIDTH, HEIGHT), (down, right), axis=(0, 1))
    assert (draw_polygons([moved], WIDTH, HEIGHT) == expected).all()


def distance_to_outline(polygon):
    """Of each pixel centre, float (HEIGHT, WIDTH)."""
    corners = np.array(polygon).reshape(-1, 2)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    centres = np.stack([columns, rows], axis=-1)
    distances = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge = end - start
        along = ((centres - start) @ edge / max(edge @ edge, 1e-12)).clip(0, 1)
        distances.append(np.linalg.norm(centres - start - along[..., None] * edge, axis=-1))
    return np.min(distances, axis=0)


@given(triangles())
@settings(max_examples=60, deadline=None)
def test_agrees_with_scikit_image_but_for_the_boundary(polygon):
    # scikit-image has its pixel centres at whole numbers
    theirs = polygon2mask((HEIGHT, WIDTH), np.array(polygon).reshape(-1, 2)[:, ::-1] - 0.5)
    ours = draw_polygons([polygon], WIDTH, HEIGHT)
    assert not ((ours != theirs) & (distance_to_outline(polygon) > 0.5)).any()


def box(left, top, right, bottom):
    return left, top, right, top, right, bottom, left, bottom


@pytest.mark.parametrize(
    ("others", "count"),
    [
        ([box(4, 4, 8, 8)], 1),
        ([box(2, 2, 8, 8)], 1),
        ([box(4, 4, 8, 8), box(5, 5, 7, 7)], 2),
        ([box(2, 2, 12, 12)], 0),
        ([box(8, 8, 14, 14)], 0),
        ([box(13, 2, 16, 5)], 0),
        ([box(4.1, 4.1, 4.2, 4.2)], 0),
        ([], 0),
    ],
    ids=["inside", "inside, touching", "nested", "equal", "crossing", "beside", "without a pixel", "alone"],
)
def test_polygons_inside_another_are_counted(others, count):
    assert enclosed([*others, box(2, 2, 12, 12)], WIDTH, HEIGHT) == count


@given(st.lists(triangles(), min_size=2, max_size=6))
@settings(max_examples=50, deadline=None)
def test_what_is_enclosed_adds_nothing(drawn):
    drawn = [triangle for triangle in drawn if draw_polygons([triangle], WIDTH, HEIGHT).any()]
    masks = {np.packbits(draw_polygons([one], WIDTH, HEIGHT)).tobytes(): one for one in drawn}
    drawn = list(masks.values())
    inside = [
        one
        for one in drawn
        if any(
            (draw_polygons([other], WIDTH, HEIGHT) >= draw_polygons([one], WIDTH, HEIGHT)).all()
            for other in drawn
            if other is not one
        )
    ]
    assert enclosed(drawn, WIDTH, HEIGHT) == len(inside)


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


@pytest.mark.parametrize("size", [(8, 8), (60, 40), (300, 200)])
def test_counts_saved_as_python_shows_bytes_are_these_bytes(size):
    mask = np.random.default_rng(size[0]).random(size) > 0.5  # its longest code holds every character of COCO's
    code = encode(mask)
    shown = {**code, "counts": str(code["counts"].encode())}
    assert shown["counts"].startswith("b'") and np.array_equal(decode(shown), mask)


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
        ({"size": [2, 3], "counts": "b'6"}, "character"),
        ({"size": [2, 3], "counts": "b'\\xzz'"}, "as Python shows them, and damaged"),
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
