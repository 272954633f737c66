"""NSD, HD95 and ASSD by hand, by the surface-distance package, and by their properties."""

import numpy as np
import pytest
from hypothesis import given

from helpers.metrics.definitions import METRICS
from helpers.metrics.surface import (
    SurfaceDistances,
    average_distance,
    hausdorff_95,
    normalised_surface_dice,
    surface_distances,
    surface_scores,
)
from tests.support.drawn_masks import bar, drawn, faulty, filled_masks, steady, vessel_tree
from tests.support.independent_metrics import by_package


def test_outline_lengths_of_one_pixel():
    """One pixel has four corners, each cut by a half diagonal of a pixel: 4 * sqrt(2) / 2."""
    distances = surface_distances(drawn("... .#. ..."), drawn("... .#. ..."))
    assert distances.truth_lengths == pytest.approx([np.sqrt(2) / 2] * 4)
    assert distances.truth == pytest.approx([0] * 4)


def test_empty_masks_have_no_outline():
    pixel, empty = drawn("... .#. ..."), drawn("... ... ...")
    for truth, found in ((pixel, pixel), (pixel, empty), (empty, pixel), (empty, empty)):
        distances = surface_distances(truth, found)
        assert distances.empty == {"truth_empty": not truth.any(), "prediction_empty": not found.any()}
        assert (len(distances.truth), len(distances.prediction)) == (4 * truth.any(), 4 * found.any())
    assert np.isinf(surface_distances(pixel, empty).truth).all()
    for truth, found in ((pixel, empty), (empty, pixel)):
        scores = surface_scores(truth, found)
        assert (scores["nsd_1px"], scores["hd95_px"], scores["assd_px"]) == (0, np.inf, np.inf)
    scores = surface_scores(empty, empty)
    assert (scores["nsd_1px"], scores["hd95_px"], scores["assd_px"]) == (1, 0, 0)


def test_two_pixels_apart_by_hand():
    """The nearer corners of the outlines are 1 px apart, the farther ones 2 px; all elements are equally long."""
    distances = surface_distances(drawn("..... .#... ....."), drawn("..... ...#. ....."))
    assert distances.truth.tolist() == distances.prediction.tolist() == [1, 1, 2, 2]
    scores = surface_scores(drawn("..... .#... ....."), drawn("..... ...#. ....."))
    assert scores["nsd_1px"] == pytest.approx(0.5)
    assert scores["nsd_2px"] == pytest.approx(1)
    assert scores["hd95_px"] == 2
    assert scores["assd_px"] == pytest.approx(1.5)


def test_a_shifted_bar_by_hand():
    """Rows 2-6 against rows 4-8 of a bar across the whole frame: each long edge is 2 px off."""
    truth = bar(11, 60, rows=slice(2, 7), columns=slice(0, 60))
    scores = surface_scores(truth, bar(11, 60, rows=slice(4, 9), columns=slice(0, 60)))
    assert scores["hd95_px"] == 2 and scores["nsd_2px"] == 1
    assert scores["nsd_1px"] < 0.1


@pytest.mark.parametrize(("metric", "factor"), [("hd95", 0.25), ("assd", 0.25)])
def test_square_pixels_scale_distances(metric, factor):
    rng = np.random.default_rng(3)
    truth = vessel_tree(rng, 64)
    scores = surface_scores(truth, faulty(truth, rng), (factor, factor))
    assert scores[f"{metric}_mm"] == pytest.approx(factor * scores[f"{metric}_px"])


def test_oblong_pixels_by_hand():
    truth, found = drawn("..... .#... ....."), drawn("..... ...#. .....")
    assert surface_scores(truth, found, (9.0, 0.25))["hd95_mm"] == pytest.approx(0.5)
    assert surface_scores(truth.T, found.T, (9.0, 0.25))["hd95_mm"] == pytest.approx(18)


def test_without_spacing_nothing_is_said_in_mm():
    scores = surface_scores(drawn("... .#. ..."), drawn("... .#. ..."))
    assert set(scores) == {name for name in METRICS if name.startswith(("nsd", "hd95", "assd"))}
    assert all(np.isnan(value) == name.endswith("mm") for name, value in scores.items())


def test_a_distance_equal_to_the_tolerance_is_within():
    """Ten pixels of 0.1 mm are 1.0 mm, whatever floating point makes of them."""
    truth = bar(30, 60, rows=slice(2, 4), columns=slice(5, 55))
    assert surface_scores(truth, np.roll(truth, 5, axis=0), (0.1, 0.1))["nsd_0.5mm"] == pytest.approx(1)
    assert surface_scores(truth, np.roll(truth, 10, axis=0), (0.1, 0.1))["nsd_1.0mm"] == pytest.approx(1)


@pytest.mark.slow
def test_agrees_with_the_package_on_200_trees():
    rng = np.random.default_rng(4)
    oblong = (0.25, 0.5)
    for _ in range(200):
        truth = vessel_tree(rng, 64)
        found = faulty(truth, rng)
        ours = surface_scores(truth, found, oblong)
        shares, farthest = by_package(truth, found, (1.0, 1.0), (1, 2, 3))
        assert [ours["nsd_1px"], ours["nsd_2px"], ours["nsd_3px"]] == pytest.approx(shares, abs=1e-6)
        assert ours["hd95_px"] == pytest.approx(farthest, abs=1e-6)
        shares, farthest = by_package(truth, found, oblong, (0.5, 1.0))
        assert [ours["nsd_0.5mm"], ours["nsd_1.0mm"]] == pytest.approx(shares, abs=1e-6)
        assert ours["hd95_mm"] == pytest.approx(farthest, abs=1e-6)


def test_the_package_loses_distances_that_equal_the_tolerance():
    """The one difference: three pixels of 0.1 mm are 0.30000000000000004 mm there, and outside 0.3 mm."""
    truth = bar(30, 60, rows=slice(2, 4), columns=slice(5, 55))
    found = np.roll(truth, 3, axis=0)
    shares, _ = by_package(truth, found, (0.1, 0.1), (0.3,))
    distances = surface_distances(truth, found, (0.1, 0.1))
    assert shares[0] < 0.6 and normalised_surface_dice("nsd_0.5mm", distances, 0.3) == pytest.approx(1)


def test_average_distance_agrees_with_the_package():
    rng = np.random.default_rng(5)
    truth = vessel_tree(rng, 64)
    distances = surface_distances(truth, faulty(truth, rng))
    total = (distances.truth * distances.truth_lengths).sum() + (
        distances.prediction * distances.prediction_lengths
    ).sum()
    whole = distances.truth_lengths.sum() + distances.prediction_lengths.sum()
    assert average_distance("assd_px", distances) == pytest.approx(total / whole)
    assert average_distance("assd_px", distances) < hausdorff_95("hd95_px", distances)


@steady
@given(filled_masks(), filled_masks())
def test_symmetry_bounds_identity(one, other):
    there, back = surface_scores(one, other), surface_scores(other, one)
    assert there == pytest.approx(back, nan_ok=True)
    assert 0 <= there["nsd_1px"] <= there["nsd_2px"] <= there["nsd_3px"] <= 1
    assert 0 <= there["assd_px"] <= np.hypot(9, 9) and there["hd95_px"] <= np.hypot(9, 9)
    same = surface_scores(one, one)
    assert same["nsd_1px"] == 1 and same["hd95_px"] == same["assd_px"] == 0


def test_the_percentile_is_the_first_distance_within_which_95_hundredths_lie():
    """Of the truth's outline 94 of 100 lie at 1 px, so that it is 3 px; with 95 it is 1 px."""
    ones, none = np.ones(1), np.zeros(1)
    for share, expected in ((94.0, 3), (95.0, 1), (0.0, 3)):
        lengths = np.array([share, 100 - share])
        there = SurfaceDistances(np.array([1.0, 3.0]), lengths, none, ones)
        back = SurfaceDistances(none, ones, np.array([1.0, 3.0]), lengths)
        assert hausdorff_95("hd95_px", there) == hausdorff_95("hd95_px", back) == expected
