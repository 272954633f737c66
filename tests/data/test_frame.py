"""Frames of a sequence stand together, in order of time."""

from pathlib import Path

from helpers.data.frame import Frame, in_sequences


def frame(name, sequence=None, number=None):
    return Frame(name, Path(f"{name}.png"), sequence=sequence, number=number)


def test_sequences_come_in_the_order_of_their_first_items_and_frames_by_number():
    frames = [frame("b2", "B", 2), frame("x"), frame("a2", "A", 2), frame("b1", "B", 1), frame("a1", "A", 10)]
    found = in_sequences(enumerate(frames), lambda item: item[1])
    assert [[index for index, _ in group] for group in found] == [[3, 0], [1], [2, 4]]


def test_without_numbers_the_order_stays():
    frames = [frame("d", "A", 1), frame("c", "A"), frame("b", "A")]
    assert [[one.case_id for one in group] for group in in_sequences(frames, lambda one: one)] == [["c", "b", "d"]]


def test_a_frame_alone_is_not_taken_for_a_sequence_of_its_name():
    assert len(in_sequences([frame("A"), frame("b", "A")], lambda one: one)) == 2
