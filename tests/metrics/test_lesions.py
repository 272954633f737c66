"""Gaps that are bridged and narrowings that are widened, on masks that can be checked by eye."""

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.metrics.lesions import NarrowingSeen, calibre_at, gap_bridged, narrowing_seen

_ACROSS = (0.0, 1.0)


def tube(rows=(9, 12), columns=(0, 40)):
    mask = np.zeros((24, 40), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def test_the_calibre_is_the_run_through_the_place():
    assert calibre_at(tube(), (20.5, 10.5), _ACROSS, 8) == 3.0
    assert calibre_at(tube(), (20.5, 10.5), (1.0, 0.0), 4) == 8.25  # along the vessel: cut to the line
    slanting = calibre_at(np.eye(24, dtype=bool), (12.5, 12.5), (1.0, -1.0), 8)
    assert slanting == pytest.approx(2**0.5, abs=0.3)
    assert calibre_at(tube(), (20.5, 13.5), _ACROSS, 8) == 3.0  # two pixels aside
    assert calibre_at(tube(), (20.5, 15.5), _ACROSS, 8) == 0.0
    assert calibre_at(tube(), (-9.0, 90.0), _ACROSS, 8) == 0.0


def narrowed(rows):
    """A vessel 7 pixels wide, `rows` at columns 18 to 22."""
    mask = tube((7, 14))
    mask[:, 18:22] = False
    mask[slice(*rows), 18:22] = True
    return mask


SIZES = (3.0, 7.0)  # of the narrowest point and of the vessel beside it


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ((9, 12), NarrowingSeen.KEPT),
        ((9, 13), NarrowingSeen.KEPT),
        ((8, 13), NarrowingSeen.WIDENED),
        ((7, 14), NarrowingSeen.WIDENED),
        ((10, 11), NarrowingSeen.KEPT),
        ((0, 0), NarrowingSeen.LOST),
    ],
)
def test_a_narrowing_is_kept_widened_from_more_than_a_pixel_or_lost(rows, seen):
    assert narrowing_seen(narrowed((9, 12)), narrowed(rows), (20.5, 10.5), _ACROSS, *SIZES) is seen


def test_a_narrowing_that_the_truth_does_not_show_is_not_counted():
    empty, place = np.zeros((24, 40), bool), (20.5, 10.5)
    assert narrowing_seen(empty, narrowed((9, 12)), place, _ACROSS, *SIZES) is None
    assert narrowing_seen(tube((4, 18)), narrowed((9, 12)), place, _ACROSS, *SIZES) is None  # a vessel over it
    assert narrowing_seen(narrowed((9, 12)), narrowed((9, 12)), place, _ACROSS, 3.0, 3.5) is None
    with pytest.raises(RefusedInput, match="one shape"):
        narrowing_seen(empty, empty[1:], place, _ACROSS, *SIZES)


_COURSE = np.array([[11.5, 10.5], [27.5, 10.5]])


def test_a_bridge_leads_from_end_to_end():
    stumps = tube(columns=(0, 12)) | tube(columns=(27, 40))
    assert gap_bridged(stumps, tube(), _COURSE, 3.0) is True
    assert gap_bridged(stumps, stumps, _COURSE, 3.0) is False
    assert gap_bridged(stumps, tube(columns=(0, 22)), _COURSE, 3.0) is False
    around = stumps | tube((0, 2)) | tube((0, 12), (2, 4)) | tube((0, 12), (36, 38))
    assert gap_bridged(stumps, around, _COURSE, 3.0) is False


def test_a_vessel_that_nothing_fills_behind_the_gap_is_bridged_where_it_is_invented():
    stump = tube(columns=(0, 12))
    assert gap_bridged(stump, tube(), _COURSE, 3.0) is True
    assert gap_bridged(stump, stump, _COURSE, 3.0) is False
    assert gap_bridged(stump, np.zeros_like(stump), _COURSE, 3.0) is False


def test_a_gap_that_the_truth_does_not_show_is_not_counted():
    stump = tube(columns=(0, 12))
    assert gap_bridged(tube(), tube(), _COURSE, 3.0) is None  # another vessel lies over it
    assert gap_bridged(np.zeros_like(stump), tube(), _COURSE, 3.0) is None
    assert gap_bridged(stump, tube(), _COURSE[:1].repeat(2, axis=0), 3.0) is None
    assert gap_bridged(stump, tube(), _COURSE + 90, 3.0) is None
