"""Frames of a sequence stand together, in order of time."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.data.frames.frame import Frame, in_sequences, listing_sha256, order_sha256


def frame(name, sequence=None, number=None):
    return Frame(name, Path(f"{name}.png"), sequence=sequence, number=number)


def test_sequences_come_in_the_order_of_their_first_items_and_frames_by_number():
    frames = [frame("b2", "B", 2), frame("x"), frame("a2", "A", 2), frame("b1", "B", 1), frame("a1", "A", 10)]
    found = in_sequences(enumerate(frames), lambda item: item[1])
    assert [[index for index, _ in group] for group in found] == [[3, 0], [1], [2, 4]]


def names_of(frames):
    return [[one.case_id for one in group] for group in in_sequences(frames, lambda one: one)]


@pytest.mark.parametrize("numbers", [(1, None, None), (7, 7, 3), (None, None, None)])
def test_numbers_that_do_not_tell_all_frames_apart_decide_nothing(numbers):
    frames = [frame(name, "A", number) for name, number in zip("dcb", numbers, strict=True)]
    assert names_of(frames) == [["d", "c", "b"]]


def test_positions_go_before_numbers_and_names():
    frames = [replace(frame(name, "A", number), position=place) for name, number, place in (("a", 1, 5), ("b", 2, 0))]
    assert names_of(frames) == [["b", "a"]]


def test_the_order_has_a_hash_only_where_numbers_do_not_give_it():
    numbered = [frame("a", "A", 2), frame("b", "A", 1)]
    placed = [replace(numbered[0], position=1), replace(numbered[1], position=0)]
    turned = [replace(numbered[0], position=0), replace(numbered[1], position=1)]
    assert order_sha256(numbered) is None and order_sha256(placed) is None
    assert len(order_sha256(turned)) == 64
    assert listing_sha256(turned) == listing_sha256(numbered)


def test_a_frame_alone_is_not_taken_for_a_sequence_of_its_name():
    assert len(in_sequences([frame("A"), frame("b", "A")], lambda one: one)) == 2
