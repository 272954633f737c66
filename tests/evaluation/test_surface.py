"""NSD, HD95 and ASSD by hand, by the surface-distance package, and by their properties."""

import warnings

import numpy as np
import pytest
import surface_distance as package
from hypothesis import given, settings

from helpers.evaluation.surface import average_distance, hausdorff_95, surface_distances, surface_scores
from tests.evaluation.masks import bar, drawn, faulty, filled_masks, vessel_tree


def package_scores(truth, found, spacing):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        distances = package.compute_surface_distances(truth, found, spacing)
    shares = {limit: package.compute_surface_dice_at_tolerance(distances, limit) for limit in (0.5, 1, 2, 3)}
    return shares, package.compute_robust_hausdorff(distances, 95)


def test_outline_lengths_of_one_pixel():
    """One pixel has four corners, each cut by a half diagonal of a pixel: 4 * sqrt(2) / 2."""
    distances = surface_distances(drawn("... .#. ..."), drawn("... .#. ..."))
    assert distances.truth_lengths == pytest.approx([np.sqrt(2) / 2] * 4)
    assert distances.truth == pytest.approx([0] * 4)


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
    assert all(np.isnan(value) == name.endswith("mm") for name, value in scores.items())


def test_a_distance_equal_to_the_tolerance_is_within():
    """Ten pixels of 0.1 mm are 1.0 mm, whatever floating point makes of them."""
    truth = bar(30, 60, rows=slice(2, 4), columns=slice(5, 55))
    assert surface_scores(truth, np.roll(truth, 5, axis=0), (0.1, 0.1))["nsd_0.5mm"] == pytest.approx(1)
    assert surface_scores(truth, np.roll(truth, 10, axis=0), (0.1, 0.1))["nsd_1.0mm"] == pytest.approx(1)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.25, 0.5)])
def test_agrees_with_the_package_on_200_trees(spacing):
    rng = np.random.default_rng(4)
    for _ in range(100):
        truth = vessel_tree(rng, 64)
        found = faulty(truth, rng)
        shares, farthest = package_scores(truth, found, spacing)
        if spacing == (1.0, 1.0):
            ours = surface_scores(truth, found)
            names = {1: "nsd_1px", 2: "nsd_2px", 3: "nsd_3px"}
            assert ours["hd95_px"] == pytest.approx(farthest, abs=1e-6)
        else:
            ours = surface_scores(truth, found, spacing)
            names = {0.5: "nsd_0.5mm", 1: "nsd_1.0mm"}
            assert ours["hd95_mm"] == pytest.approx(farthest, abs=1e-6)
        assert {limit: ours[name] for limit, name in names.items()} == pytest.approx(
            {limit: shares[limit] for limit in names}, abs=1e-6
        )


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


@settings(max_examples=50)
@given(filled_masks(), filled_masks())
def test_symmetry_bounds_identity(one, other):
    there, back = surface_scores(one, other), surface_scores(other, one)
    assert there == pytest.approx(back, nan_ok=True)
    assert 0 <= there["nsd_1px"] <= there["nsd_2px"] <= there["nsd_3px"] <= 1
    assert 0 <= there["assd_px"] <= np.hypot(9, 9) and there["hd95_px"] <= np.hypot(9, 9)
    same = surface_scores(one, one)
    assert same["nsd_1px"] == 1 and same["hd95_px"] == same["assd_px"] == 0
