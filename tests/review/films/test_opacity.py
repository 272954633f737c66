"""The darkest value of each pixel, and masks united."""

import numpy as np
from PIL import Image

from helpers.review.figures.panels import GroundTruth
from helpers.review.films.film_frame import CineFrame, MaximumOpacity


def frame(values, mask=None, size=None, ignored=None):
    pixels = np.array([values], np.uint8)
    image = Image.fromarray(pixels).convert("RGB")
    masks = (None if mask is None else np.array([mask], bool),)
    return CineFrame(
        "c",
        image if size is None else image.resize(size),
        GroundTruth(np.array([[True, False, False]]), ignored),
        masks,
    )


def test_the_darkest_of_all_frames_and_the_union_of_masks():
    summary = MaximumOpacity(1)
    summary.add(CineFrame("gap", None, None, (None,)))
    summary.add(frame([90, 20, 50], [1, 0, 0]))
    summary.add(frame([10, 60, 55], [0, 0, 1]))
    summary.add(frame([0, 0, 0], None, size=(4, 4)))  # another size
    summary.add(frame([80, 80, 80]))
    found = summary.frame("S1")
    assert np.asarray(found.image)[0, :, 0].tolist() == [10, 20, 50]
    assert found.masks[0].tolist() == [[True, False, True]] and found.truth.mask.tolist() == [[True, False, False]]
    assert (found.case_id, found.statuses) == ("S1", ("ok",))


def test_what_is_not_scored_in_some_frame_is_not_in_the_picture():
    summary = MaximumOpacity(1)
    for last in (False, True, False):
        summary.add(frame([1, 1, 1], [1, 1, 1], ignored=np.array([[False, False, last]])))
    assert summary.frame("S1").truth.ignored.tolist() == [[False, False, True]]


def test_a_sequence_of_gaps_has_no_picture():
    summary = MaximumOpacity(1)
    summary.add(CineFrame("gap", None, None, (None,)))
    assert summary.frame("S1") is None
