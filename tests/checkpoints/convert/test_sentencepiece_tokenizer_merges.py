"""The list of pairs that stands for merging by score."""

from pathlib import Path

import pytest

from helpers.checkpoints.convert.sentencepiece_tokenizer import ordered_merges
from helpers.checkpoints.read.sentencepiece_model import Piece, PieceKind
from helpers.core.errors import RefusedInput

ORIGIN = Path("tokenizer.model")


def ranked(*texts):
    return [Piece(text, -float(rank), PieceKind.NORMAL) for rank, text in enumerate(texts)]


def tied(*texts):
    return [Piece(text, -1.0, PieceKind.NORMAL) for text in texts]


def test_pairs_stand_in_the_order_of_scores():
    merges, unreached = ordered_merges(ranked("a", "b", "c", "bc", "ab", "abc"), ORIGIN)
    assert merges[:2] == [("b", "c"), ("a", "b")]
    assert set(merges[2:]) == {("a", "bc"), ("ab", "c")}
    assert unreached == []


def test_of_two_pairs_that_overlap_with_one_score_the_left_one_comes_first():
    assert ordered_merges(tied("a", "b", "c", "bc", "ab"), ORIGIN)[0] == [("a", "b"), ("b", "c")]


def test_a_run_is_merged_from_its_longer_part():
    merges, _ = ordered_merges(ranked("a", "aa", "aaa"), ORIGIN)
    assert merges == [("a", "a"), ("aa", "a"), ("a", "aa")]


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (tied("a", "b", "ab", "ba"), "the pairs 'a' \\+ 'b' and 'b' \\+ 'a' have one score"),
        (tied("a", "b", "ab", "abb"), "'ab' has the score -1.0 of other pieces too, and 'abb'"),
    ],
)
def test_pieces_with_one_score_that_no_list_orders_are_refused(pieces, said):
    with pytest.raises(RefusedInput, match=said):
        ordered_merges(pieces, ORIGIN)


def test_pieces_that_are_not_normal_are_never_merged():
    entries = [*ranked("a", "b"), Piece("ab", 0.0, PieceKind.USER_DEFINED), Piece("ba", 0.0, PieceKind.CONTROL)]
    assert ordered_merges(entries, ORIGIN) == ([], [])


def test_a_piece_of_a_character_that_has_none_is_named():
    assert ordered_merges(ranked("a", "aé"), ORIGIN) == ([], ["aé"])
