"""The trained demo model and its frames, as they are in the repository."""

import json
import time

import numpy as np
import pytest

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.dev.demo.demo_data import PATIENTS, SEED, SIDE
from helpers.dev.demo.demo_gate import compare_logits, read_logits, sampled_logits
from helpers.dev.demo.demo_pipeline import BASELINE, DATA, LOGITS, MODEL, SCORES
from helpers.dev.synthesis.sequence import draw_frame
from helpers.dev.synthesis.sequence_parameters import Split, split_of_patient
from helpers.evaluation.regression_gate import read_baseline
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.frangi import read_settings
from helpers.prediction.run import predict
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.runs.run_folder import open_run

# Full contrast, its wash-in, and a frame before contrast, each of another patient.
FRAMES = {"P906-S01-F004", "P918-S01-F002", "P930-S02-F001"}
MODEL_MB, DATA_MB = 24, 8


def megabytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def test_the_files_are_small_and_stay_what_the_card_says():
    assert megabytes(MODEL.folder) < MODEL_MB and megabytes(DATA) < DATA_MB
    recipe = json.loads((MODEL.folder / "training.json").read_text())["recipe"]
    assert MODEL.checkpoint.name == f"iter_{recipe['lora']['iters']}.pth"
    card = (MODEL.folder / "README.md").read_text()
    assert "Not for clinical use" in card and f"{recipe['base'][0]['iters']:,} iterations" in card


def test_the_frames_are_of_patients_that_no_training_draws():
    cases = open_dataset(DATA).cases
    assert len(cases) == 96 and len({case.frame.sequence for case in cases}) == 12
    assert {case.frame.patient for case in cases} == {f"P{number}" for number in PATIENTS}
    assert {split_of_patient(number) for number in PATIENTS} == {Split.TEST}


def test_a_frame_is_drawn_again_from_its_seed():
    case = next(case for case in open_dataset(DATA).cases if case.case_id == "P906-S01-F004")
    drawn = draw_frame(SEED, 906, 1, 4, SIDE)
    truth = case.truth.mask(SIDE, SIDE)
    assert truth.shape == drawn.mask.shape and (truth != drawn.mask).mean() < 1e-4  # of pixels on the very edge
    stored = np.asarray(read_frame(case.frame.path, case.frame.index))[..., 0].astype(float)
    assert np.abs(stored - drawn.image).mean() < 3  # grey values of 255, for JPEG


def test_the_baseline_was_tuned_on_other_patients():
    tuned = read_settings(BASELINE).tuned_on
    assert tuned is not None and tuned.cases
    assert {split_of_patient(int(case[1:4])) for case in tuned.cases} == {Split.DEV}


@pytest.mark.slow
@pytest.mark.endurance  # the gate behind `make demo` compares all
def test_logits_of_some_frames_are_the_recorded_ones(tmp_path):
    start = time.process_time()  # not of the clock, which other work on the machine holds up
    convert(ConversionRequest(MODEL.checkpoint, tmp_path / "m", MODEL.base, MODEL.sam2, str(MODEL.sam2_sizes)))
    seconds = time.process_time() - start
    assert seconds < 40, seconds  # 20 s at most on a quiet machine
    frames = [case.frame for case in open_dataset(DATA).cases if case.case_id in FRAMES]
    predict(frames, Sa2VAPredictor(*load_model(tmp_path / "m", "cpu", "float32"), {}), tmp_path / "run")
    recorded = {case: found for case, found in read_logits(LOGITS).items() if case in FRAMES}
    assert len(recorded) == len(FRAMES)
    found = compare_logits(recorded, sampled_logits(open_run(tmp_path / "run")))
    assert found.passed, found.to_text()
    assert set(recorded) <= set(read_baseline(SCORES).cases["case_id"])
