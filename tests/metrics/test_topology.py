"""Pieces and holes, by hand."""

import pytest
from hypothesis import given
from skimage.measure import euler_number

from helpers.metrics.topology import BettiNumbers, betti_numbers, topology_scores
from tests.support.drawn_masks import drawn, filled_masks, masks, steady


@pytest.mark.parametrize(
    ("picture", "pieces", "holes"),
    [
        ("..... ..... .....", 0, 0),
        ("##### ##### #####", 1, 0),
        ("#...# ..... #...#", 4, 0),
        ("#.... .#... ..#..", 1, 0),  # a diagonal line is one piece
        ("..... .###. .#.#. .###. .....", 1, 1),
        (".#. #.# .#.", 1, 1),  # a closed diagonal line encloses its middle
        ("### #.# #.#", 1, 0),  # open towards the edge of the frame
        ("#####.. #.#.#.. #####..", 1, 2),
        (".###. .#.#. .#.#. .#.#. .###.", 1, 1),
    ],
)
def test_by_hand(picture, pieces, holes):
    assert betti_numbers(drawn(picture)) == BettiNumbers(pieces, holes)


def test_errors_are_absolute_differences():
    ring, dots = drawn("..... .###. .#.#. .###. ....."), drawn("#...# ..... #...# ..... .....")
    assert topology_scores(ring, dots) == topology_scores(dots, ring) == {"betti0_error": 3, "betti1_error": 1}


@steady
@given(masks())
def test_pieces_less_holes_is_the_euler_number(mask):
    found = betti_numbers(mask)
    assert found.pieces - found.holes == euler_number(mask, connectivity=2)


@steady
@given(filled_masks())
def test_a_mask_has_no_error_against_itself(mask):
    assert set(topology_scores(mask, mask).values()) == {0}
