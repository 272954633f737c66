"""The parts of the study of losses: what trainings share, what is counted, and the table."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.frames.frame_source import pixel_sha256
from helpers.dev.measure.loss_study import (
    OPTIONS,
    Change,
    Drawn,
    keep_plan,
    lesion_counts,
    main,
    parsed,
    training_options,
)
from helpers.dev.measure.loss_table import CONTROL, report, scores_file, stored_scores
from helpers.train.fine_tuning import measuring_frames
from helpers.train.fine_tuning.shape_losses import ShapeLoss
from tests.train.fine_tuning.test_samples import write_pairs


def test_trainings_differ_by_their_change_and_seed_alone(tmp_path):
    given = parsed([str(tmp_path), "--cfg-options", "model.points=500"])
    control = training_options(given, Change.CONTROL, 0)
    assert control["model.points"] == 500 and control["train_dataloader.dataset.mask_side"] == 256
    for change in Change:
        options = training_options(given, change, 0)
        assert {name: value for name, value in options.items() if control.get(name) != value} == OPTIONS[change]
    seeded = training_options(given, Change.CONTROL, 1)
    assert [name for name in control if control[name] != seeded[name]] == [
        *("model.seed", "train_dataloader.dataset.seed", "randomness.seed")
    ]
    named = {name.removeprefix("model.") for options in OPTIONS.values() for name in options if "loss" in name}
    assert named == {loss.value for loss in ShapeLoss}


def test_a_starting_model_comes_with_its_files_or_the_demos_is_taken(tmp_path):
    assert parsed([str(tmp_path)]).base.name == "internvl_base"
    for wrong in (["--start", "model"], ["--base", "InternVL3-8B"]):
        with pytest.raises(UsageProblem, match="--base: expected it with --start and not without"):
            parsed([str(tmp_path), *wrong])


def test_development_patients_are_as_many_as_asked_for_and_none_trains():
    drawn = Drawn.of(96, 12, 512)
    assert (len(drawn.train.drawn), len(drawn.dev.drawn)) == (96, 12)
    assert drawn.train.seed != drawn.dev.seed


def test_a_folder_holds_trainings_of_one_plan(tmp_path):
    keep_plan(parsed([str(tmp_path), "--changes", "cldice"]))
    keep_plan(parsed([str(tmp_path), "--seeds", "3"]))
    with pytest.raises(UsageProblem, match=r"--iterations: expected 300, .*got 301"):
        keep_plan(parsed([str(tmp_path), "--iterations", "301"]))


def test_frames_that_models_are_measured_on_choose_no_loss(tmp_path, monkeypatch):
    part = write_pairs(tmp_path / "data/val")
    (part / "dataset.json").rename(tmp_path / "data/dataset.json")
    frame = Image.new("RGB", (300, 300))
    frame.save(part / "images/c2.png")
    monkeypatch.setattr(measuring_frames, "PIXEL_SHA256", {pixel_sha256(frame)})
    with pytest.raises(RefusedInput, match=r"c2\.png: expected frames to train on or to choose by"):
        main([str(tmp_path / "study"), "--data", str(tmp_path / "data"), "--step", "draw"])
    assert not (tmp_path / "study/dev").exists()


SIZES = {"calibre_px": 3.0, "reference_px": 7.0}


def test_lesions_that_can_be_told_are_counted():
    truth = np.zeros((24, 40), bool)
    truth[9:12, :12] = truth[9:12, 27:] = True
    gap = {"kind": "total", "filled": True, "course": [[11.5, 10.5], [27.5, 10.5]], "reference_px": 3.0}
    narrow = {"kind": "stenosis", "filled": True, "place": [5.5, 10.5], "across": [0, 1]} | SIZES
    lesions = [gap, narrow, {**gap, "filled": False}, {**narrow, "place": [20.5, 3.5]}]
    whole = np.zeros_like(truth)
    whole[8:13] = True
    told = {"gaps": 1, "narrowings": 1}
    assert lesion_counts(truth, truth, lesions) == {**told, "bridged": 0, "widened": 0, "lost": 0}
    assert lesion_counts(truth, whole, lesions) == {**told, "bridged": 1, "widened": 1, "lost": 0}
    assert lesion_counts(truth, np.zeros_like(truth), lesions) == {**told, "bridged": 0, "widened": 0, "lost": 1}


def scored(better: float) -> pd.DataFrame:
    """Two cases of each of six patients; the last two have no lesion."""
    patients = [f"P{number // 2:03d}" for number in range(12)]
    base = np.linspace(0.5, 0.7, 12)
    counts = {
        "gaps": [1] * 8 + [0] * 4,
        "bridged": [int(better > 0), 0] * 4 + [0] * 4,
        "narrowings": 0,
        "widened": 0,
        "lost": 0,
    }
    scores = {"dice": base + better, "cldice": base, "nsd_2px": base, "betti0_error": 3.0}
    cases = [f"{patient}-{number}" for number, patient in enumerate(patients)]
    return pd.DataFrame({"case_id": cases, "patient": patients, **scores, **counts, "set": "drawn"})


def test_the_table_compares_patient_by_patient(tmp_path):
    for name, better in (("control-0", 0.0), ("control-1", 0.0), ("cldice-0", 0.1), ("cldice-1", 0.2)):
        file = scores_file(tmp_path, name)
        file.parent.mkdir(exist_ok=True)
        scored(better).to_csv(file, index=False)
    said = report(stored_scores(tmp_path), 300, 16)
    assert said.startswith("drawn: 12 frames of 6 patients. 300 iterations of 16 frames, seeds 0, 1.")
    assert "| cldice | drawn | dice | 0.750 [" in said and "| +0.150 (all equal) | +0.100, +0.200 |" in said
    assert (
        "| control | drawn | true gaps bridged | 0 of 16, 4 patients: 0.000 (4 patients: no interval) |  |  |" in said
    )
    assert "8 of 16, 4 patients: 0.500 (4 patients: no interval) | +0.500 (4 patients: no interval)" in said
    assert "narrowings widened" not in said


def test_without_a_control_there_is_nothing_to_compare(tmp_path):
    assert CONTROL in report(stored_scores(tmp_path), 1, 1)
