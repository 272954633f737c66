"""Which frames belong together, which are prompted, and which are computed again with others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Mode
from helpers.data.frames.frame import Frame
from helpers.dev.synthesis.sequence import draw_frame
from helpers.prediction.resume import RecomputeReason
from helpers.prediction.sequences.sequence_answers import first_frames, fullest, fullness, sequences_of, whole_sequences


def frame(case_id, sequence=None, number=None):
    return Frame(case_id, Path(f"{case_id}.png"), sequence=sequence, number=number)


def ids(sequences):
    return [[one.case_id for one in frames] for frames in sequences]


def test_frames_are_put_in_order_of_time_and_sequences_in_that_of_their_first_frames():
    frames = [frame("b2", "B", 2), frame("x"), frame("a1", "A", 10), frame("b1", "B", 1), frame("a2", "A", 9)]
    assert ids(sequences_of(frames)) == [["b1", "b2"], ["x"], ["a2", "a1"]]


def test_frames_without_numbers_keep_their_order():
    assert ids(sequences_of([frame("b", "A"), frame("a", "A")])) == [["b", "a"]]


def test_the_first_frames_of_a_limited_run_are_the_first_in_time_where_sequences_are_followed():
    frames = [replace(frame(name, "A"), position=place) for name, place in (("a", 2), ("b", 0), ("c", 1))]
    assert [one.case_id for one in first_frames(frames, 2, Mode.FRAME)] == ["a", "b"]
    assert [one.case_id for one in first_frames(frames, 2, Mode.TRACK)] == ["b", "c"]
    assert first_frames(frames, None, Mode.TRACK) == first_frames(frames, 3, Mode.TRACK) == tuple(frames)


def test_a_data_set_of_single_frames_is_refused():
    with pytest.raises(UsageProblem, match="found 2 single ones. Say with --group-by"):
        sequences_of([frame("a"), frame("b", "B", 1)])


def test_a_changed_frame_takes_its_sequence_along_and_a_new_one_does_not():
    sequences = sequences_of([frame(f"{s}{n}", s, n) for s in "AB" for n in range(2)])
    depending = frozenset({RecomputeReason.CHANGED})
    found = whole_sequences({"A0": RecomputeReason.CHANGED, "B1": RecomputeReason.NEW}, sequences, depending)
    assert found == {"A0": RecomputeReason.CHANGED, "A1": RecomputeReason.SEQUENCE, "B1": RecomputeReason.NEW}


@given(st.lists(st.one_of(st.none(), st.integers(0, 3).map(float)), max_size=9), st.integers(1, 5))
def test_the_fullest_are_the_highest_readable_ones_in_order_of_time(scores, count):
    chosen = fullest(scores, count)
    readable = [score for score in scores if score is not None]
    assert list(chosen) == sorted(set(chosen)) and len(chosen) == min(count, len(readable))
    assert sorted(scores[at] for at in chosen) == sorted(readable)[len(readable) - len(chosen) :]


def test_of_equals_the_earlier_is_taken():
    assert fullest([1.0, None, 2.0, 1.0, 1.0], 3) == (0, 2, 3)


def test_fullness_rises_with_dark_narrow_lines_and_not_with_a_dark_half():
    plain = np.full((256, 256), 200, np.uint8)
    half, lines = plain.copy(), plain.copy()
    half[:, 128:] = 50
    lines[100:106] = 50
    levels = [fullness(Image.fromarray(pixels)) for pixels in (plain, half, lines)]
    assert levels[0] == 0 and levels[1] < 0.1 * levels[2]
    assert levels[2] == pytest.approx(150 * 6 / 256)


def test_fullness_follows_the_contrast_agent_through_a_sequence():
    drawn = [draw_frame(0, 6, 1, number, 256) for number in range(1, 13)]
    levels = [fullness(Image.fromarray(one.image)) for one in drawn]
    areas = [one.mask.mean() for one in drawn]
    assert np.corrcoef(levels, areas)[0, 1] > 0.8
    assert min(areas[at] for at in fullest(levels, 5)) >= 0.8 * max(areas)
