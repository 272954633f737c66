"""The grid's best is chosen on what was drawn, patients weigh the same, and the curves are those of the masks."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.evaluation import frangi_tuning
from helpers.evaluation.frangi_tuning import (
    TunedChoice,
    TuningResult,
    candidates,
    case_curves,
    choose,
    tune,
    unit_table,
    vesselness_thresholds,
    write_choice,
)
from helpers.prediction.frangi import (
    FrangiSettings,
    Intensity,
    Ridge,
    Tuned,
    TunedOn,
    grey_values,
    read_settings,
    vesselness,
)
from tests.support.drawn_angiograms import drawn_truth, save_pairs


@pytest.fixture
def small_grid(monkeypatch):
    """Two widths, nothing else."""
    grid = (FrangiSettings(scales=(3.0,), smallest=0), FrangiSettings(scales=(14.0,), smallest=0))
    monkeypatch.setattr(frangi_tuning, "candidates", lambda: grid)
    return grid


@pytest.mark.parametrize("width, expected", [(2, 0), (10, 1)])
def test_the_width_chooses_the_scale(tmp_path, small_grid, width, expected):
    save_pairs(tmp_path, [drawn_truth(width), drawn_truth(width, start=70)])
    opened = open_dataset(tmp_path)
    unmarked = replace(opened, cases=(*opened.cases, *(replace(case, truth=None) for case in opened.cases)))
    result = tune(unmarked, split="dev", processes=1)
    assert (result.left_out, result.split, result.units) == (2, "dev", 2)
    assert result.choice.settings.scales == small_grid[expected].scales and result.choice.dice > 0.7
    write_choice(result, tmp_path / "new" / "f.json")
    assert read_settings(tmp_path / "new" / "f.json") == Tuned(result.choice.settings, result.tuned_on)
    assert isinstance(result.tuned_on, TunedOn) and len(result.tuned_on.cases) == 2


def test_spellings_of_a_patient_weigh_as_one(tmp_path, small_grid):
    save_pairs(tmp_path, [drawn_truth(2), drawn_truth(2, start=70), drawn_truth(2, start=40)])
    for number, name in enumerate(("P12_001", "p012_002", "P13_001"), start=1):
        for folder in ("images", "masks"):
            (tmp_path / folder / f"Doe_Jane_{number}.png").rename(tmp_path / folder / f"{name}.png")
    result = tune(open_dataset(tmp_path), split=None, processes=1)
    assert (result.unit, result.units) == ("patient", 2)
    assert "warning: 2 patient ids are spellings of 1 patient" in result.to_text()


def test_the_curve_is_that_of_the_masks(tmp_path):
    save_pairs(tmp_path, [drawn_truth(4, 64)])
    (case,) = open_dataset(tmp_path).cases
    chosen = candidates()[5]
    (curve,) = case_curves(case, [chosen])
    grey, truth = grey_values(read_frame(case.frame.path, None)), case.truth.mask(64, 64)
    for place in (240, 256, 262):
        mask = vesselness(grey, replace(chosen, threshold=1.0)) > vesselness_thresholds()[place]
        assert curve[place] == pytest.approx(2 * (mask & truth).sum() / (mask.sum() + truth.sum()), abs=2e-3)


def test_patients_weigh_the_same(small_grid):
    curves = np.zeros((3, 2, 513), np.float32)
    curves[:2, 0, 300] = 0.9  # two cases of the first patient prefer the first candidate
    curves[:, 1, 280] = 0.5, 0.5, 0.6
    listed = pd.DataFrame({"case_id": ["a", "b", "c"], "sequence": ["s", "s", "t"], "patient": ["p", "p", "q"]})
    found = choose(curves, listed)
    assert found.settings.scales == (14.0,) and found.dice == pytest.approx(0.55)
    assert found.settings.threshold == pytest.approx(vesselness_thresholds()[280], rel=1e-3)


def test_no_threshold_that_calls_everything_vessel(small_grid):
    curves = np.ones((1, 2, 513), np.float32)
    assert choose(curves, pd.DataFrame({"case_id": ["a"], "sequence": None, "patient": None})).settings.threshold > 0.01


def test_units_without_patients(tmp_path, small_grid):
    save_pairs(tmp_path, [drawn_truth(4, 64)])
    listed = unit_table(open_dataset(tmp_path).cases)
    assert list(listed.columns) == ["case_id", "sequence", "patient"] and len(listed) == 1


def test_the_grid_is_that_of_the_docs():
    """docs/baselines.md. Candidates of one filter stand together, those of one pair of scales within it."""
    scales = [(2, 3), (3, 4), (3, 4, 5), (4, 5), (3, 5, 7)]
    smallest = [0, 500, 1000, 2000]
    found = [(one.ridge, one.intensity, one.scales, one.smallest, one.threshold) for one in candidates()]
    filters = [(ridge, intensity) for ridge in Ridge for intensity in Intensity]
    assert found == [(*kind, own, size, 1.0) for kind in filters for own in scales for size in smallest]


def test_curves_of_another_grid_choose_nothing(small_grid):
    with pytest.raises(ValueError, match="zip"):
        choose(np.zeros((1, 3, 513)), pd.DataFrame({"case_id": ["a"], "sequence": None, "patient": None}))


def no_truth(**more):
    return SimpleNamespace(cases=(SimpleNamespace(truth=None),), **more)


def test_without_ground_truth_nothing_is_tuned():
    with pytest.raises(UsageProblem, match="expected cases with ground truth to tune on, found none. Check --data"):
        tune(no_truth())


def test_what_is_not_decided_about_the_truth_is_asked_before_any_work():
    def undecided():
        raise RefusedInput("decide")

    with pytest.raises(RefusedInput, match="decide"):
        tune(SimpleNamespace(cases=(SimpleNamespace(truth="a truth"),), require_decided=undecided))


def test_all_that_the_file_and_the_text_say():
    first = FrangiSettings(Ridge.FRANGI, Intensity.LOGARITHM, (2.0, 3.0), 500, 0.25)
    second = replace(first, smallest=0, threshold=0.5)
    choice = TunedChoice(first, 0.71234567, ((first, 0.71234567), (second, 0.5)))
    result = TuningResult(choice, TunedOn(("a", "b"), "k"), "patient", 2, 3, "dev", None)
    found = result.to_json()
    assert list(found)[:2] == ["schema", "schema_version"]
    assert list(found)[2:4] == ["kit_version", "scikit_image"] and all(found[name] for name in list(found)[2:4])
    assert {name: found[name] for name in list(found)[4:]} == {
        "settings": first.to_json(),
        "tuned_on": {
            "cases": ["a", "b"],
            "key_fingerprint": "k",
            "split": "dev",
            "unit": "patient",
            "units": 2,
            "cases_without_truth": 3,
        },
        "chosen_by": "mean of patient means of Dice",
        "dice_on_tuning_cases": 0.712346,
        "grid": [{**first.to_json(), "dice": 0.712346}, {**second.to_json(), "dice": 0.5}],
    }
    text = (
        f"{Ridge.FRANGI} of the {Intensity.LOGARITHM}, scales 2, 3, smallest 500, threshold 0.25\n"
        "Dice 0.7123 on the 2 cases (2 patients) that chose it: no result. Score it on other cases"
    )
    assert result.to_text() == text and replace(result, united="two").to_text() == f"{text}\nwarning: two"
