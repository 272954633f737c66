"""Masks over a frame: which pixels a fill, a contour and a hatch change."""

import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from helpers.review.figures.mask_drawing import COLOUR_BLIND_SAFE, contour, draw_agreement, draw_mask, hatch, tint
from helpers.review.figures.sheet_layout import MaskStyle

MASK = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool)


def test_tint_leaves_the_frame_alone():
    frame = np.zeros((3, 4, 3), np.float32)
    tinted = tint(frame, [(MASK, (1.0, 0.0, 0.0))], 0.5)
    assert frame.max() == 0 and tinted[1, 1].tolist() == [0.5, 0, 0] and tinted[0].max() == 0


def test_a_contour_runs_around_the_mask():
    assert contour(MASK).astype(int).tolist() == [[0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0]]
    assert contour(np.pad(MASK, 2), 2).sum() == 16 and not contour(np.zeros((2, 2), bool)).any()


def test_a_mask_of_all_pixels_has_a_line_along_the_edge():
    assert contour(np.ones((3, 4), bool)).astype(int).tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1]]


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=8)))
def test_a_contour_never_covers_the_mask_and_a_hatch_never_leaves_it(mask):
    assert not (contour(mask) & mask)[1:-1, 1:-1].any() and not (hatch(mask) & ~mask).any()
    assert contour(mask).any() == mask.any()


def test_stripes_are_as_wide_as_the_space_between_them():
    assert hatch(np.ones((2, 8), bool), 2).astype(int).tolist() == [[1, 1, 0, 0, 1, 1, 0, 0], [1, 0, 0, 1, 1, 0, 0, 1]]


def test_styles():
    frame = np.zeros((3, 4, 3), np.float32)
    filled = draw_mask(frame, MASK, (1.0, 0.0, 0.0), MaskStyle.FILL, opacity=0.5)
    lined = draw_mask(frame, MASK, (1.0, 0.0, 0.0), MaskStyle.CONTOUR, opacity=0.5)
    assert filled[MASK].tolist() == [[0.5, 0, 0]] * 2 and not filled[~MASK].any()
    assert not lined[MASK].any() and lined[contour(MASK)].tolist() == [[1, 0, 0]] * 6


def test_agreement_of_every_kind_of_pixel():
    truth, predicted = np.array([[1, 1, 0, 0, 1]], bool), np.array([[1, 0, 1, 0, 0]], bool)
    ignored = np.array([[0, 0, 0, 0, 1]], bool)
    shown = draw_agreement(np.zeros((1, 5, 3), np.float32), truth, predicted, ignored, opacity=1.0)[0]
    palette = COLOUR_BLIND_SAFE
    for pixel, colour in zip(shown, (palette.both, palette.missed, palette.false, (0, 0, 0)), strict=False):
        assert np.allclose(pixel, colour)
    assert not shown[4].any(), "between two stripes"
