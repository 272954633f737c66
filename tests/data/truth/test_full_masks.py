"""Masks that mark most of a frame."""

from helpers.data.truth.full_masks import full_warning


def test_masks_in_which_vessel_and_background_may_be_swapped_are_listed():
    assert full_warning({"a": 0.6, "b": 0.0}) is None and full_warning({}) is None
    said = full_warning({"a": 0.05, "b": 0.95, **{f"c{n}": 1.0 for n in range(5)}})
    assert said.startswith("WARNING: 6 of 7 masks with more than 60% of the frame as vessel, up to 100% (b, c0, c1, c2")
    assert said.endswith("c3 and more): check whether vessel and background are swapped")
