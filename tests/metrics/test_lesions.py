"""Gaps that are bridged and narrowings that are widened, on masks that can be checked by eye."""

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.metrics.lesions import calibre_at, gap_bridged, narrowing_widened

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


@pytest.mark.parametrize(("rows", "widened"), [((9, 12), False), ((9, 13), False), ((8, 13), True), ((7, 14), True)])
def test_a_narrowing_is_widened_from_more_than_a_pixel(rows, widened):
    assert narrowing_widened(narrowed((9, 12)), narrowed(rows), (20.5, 10.5), _ACROSS, 7.0) is widened


def test_a_narrowing_that_cannot_be_seen_is_not_counted():
    empty, place = np.zeros((24, 40), bool), (20.5, 10.5)
    assert narrowing_widened(narrowed((9, 12)), empty, place, _ACROSS, 7.0) is None
    assert narrowing_widened(empty, narrowed((9, 12)), place, _ACROSS, 7.0) is None
    assert narrowing_widened(tube((4, 18)), narrowed((9, 12)), place, _ACROSS, 7.0) is None
    with pytest.raises(RefusedInput, match="one shape"):
        narrowing_widened(empty, empty[1:], place, _ACROSS, 7.0)


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
