"""Frames: the same from the same seed, exact masks, Beer and Lambert, what is no vessel."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from helpers.core.vocabulary import SynthGenerator
from helpers.dev.synthesis.detector import DetectorDisplay, Field, expose
from helpers.dev.synthesis.lesion import LesionKind
from helpers.dev.synthesis.projection import OVERSAMPLING, add_chords, pooled
from helpers.dev.synthesis.sequence import contrast, draw_frame, draw_sequence, project
from helpers.dev.synthesis.sequence_parameters import (
    HELD_OUT,
    TRAIN,
    Parameters,
    Split,
    draw_parameters,
    split_of_patient,
)

_SIZE = 96


def _tube(radius: float, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    points = np.stack([np.linspace(-10, size + 10, 80), np.full(80, 30.5)], axis=1)
    total = np.zeros((size * OVERSAMPLING,) * 2, dtype=np.float32)
    truth = np.zeros(total.shape, dtype=bool)
    add_chords(total, points, np.full(80, radius), np.ones(80), truth, np.ones(80, dtype=bool))
    return pooled(total), pooled(truth) > 0.5


@pytest.mark.parametrize(("radius", "rows"), [(1.5, 3), (3.5, 7), (4.9, 9)])
def test_mask_of_a_straight_tube(radius, rows):
    _, mask = _tube(radius)
    assert (mask.sum(axis=0) == rows).all()
    assert mask[30].all()


def test_chord_through_the_axis_is_the_diameter():
    chord, _ = _tube(4.5)
    # The mean over a pixel at the axis: a little less than the diameter of 9.
    assert chord[30, 32] == pytest.approx(8.95, abs=0.06)
    assert chord[20, 32] == 0


def test_signal_follows_beer_and_lambert():
    flat = Parameters(**dict.fromkeys(TRAIN, 0.0))
    clean = replace(flat, photons=1e9, window=1.0, brightness=0.5, gamma=1.0, blur_px=0.05)
    attenuation = np.zeros((64, 64))
    attenuation[:, :8] = 0.1
    attenuation[:, 8:16] = 0.2
    field = Field(np.ones((64, 64), dtype=bool), 0.0)
    shown = expose(attenuation, clean, DetectorDisplay(0.0, 30.0), field, np.random.default_rng(0)).astype(float)
    first, second, rest = shown[:, 1:7].mean(), shown[:, 9:15].mean(), shown[:, 20:].mean()
    # The picture shows the logarithm of the signal: equal steps of attenuation are equal steps of grey.
    assert rest - first == pytest.approx(first - second, abs=1.5)
    assert rest - second == pytest.approx(255 * 0.2 / 0.6, abs=3)


def test_a_frame_alone_equals_the_frame_in_its_sequence():
    in_order = [draw_frame(5, 1, 1, number, _SIZE) for number in (1, 2, 3)]
    draw_sequence.cache_clear()
    alone = draw_frame(5, 1, 1, 3, _SIZE)
    assert np.array_equal(alone.image, in_order[2].image)
    assert np.array_equal(alone.mask, in_order[2].mask)
    assert not np.array_equal(in_order[1].image, in_order[2].image)


def test_the_first_generator_draws_what_it_always_drew():
    drawn = draw_frame(5, 2, 1, 4, _SIZE)
    # The last that is drawn of a sequence, so that all before it was drawn as it was.
    assert draw_sequence(5, 2, 1, _SIZE).display.flattening_px == pytest.approx(53.354693265302814)
    assert (drawn.mask.sum(), drawn.image.mean()) == pytest.approx((278, 125.180), rel=0.01)


def test_the_second_generator_draws_larger_trees_and_subtracts_some():
    shared = [draw_sequence(5, patient, 1, _SIZE, SynthGenerator.SECOND) for patient in range(1, 9)]
    assert {one.subtracted is None for one in shared} == {True, False}
    assert all(1 <= one.parameters.heart <= 1.7 and one.parameters.structure <= 0.8 for one in shared)
    assert any(lesion.kind is not LesionKind.STENOSIS for one in shared for lesion in one.lesions)
    patient = next(number for number, one in enumerate(shared, 1) if one.subtracted and one.injected)
    frame = draw_frame(5, patient, 1, 4, _SIZE, SynthGenerator.SECOND)
    assert frame.subtracted and frame.mask.any()
    assert frame.image[frame.mask].mean() < frame.image[~frame.mask].mean()


def test_a_frame_shows_its_lesions_where_the_truth_has_them():
    frames = [draw_frame(5, patient, 1, 4, 128, SynthGenerator.SECOND) for patient in range(1, 9)]
    shown = [(frame, lesion) for frame in frames for lesion in frame.lesions if lesion.filled]
    assert {lesion.kind for _, lesion in shown} >= {LesionKind.STENOSIS, LesionKind.TOTAL}
    for frame, lesion in shown:
        column, row = (int(value) for value in lesion.course[0])
        assert frame.mask[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3].any()
        assert set(lesion.row()) == set(vars(lesion))


@pytest.mark.slow
def test_another_process_draws_the_same_pixels():
    code = (
        "import hashlib; from helpers.dev.synthesis.sequence import draw_frame; f = draw_frame(5, 2, 1, 4, 96); "
        "print(hashlib.sha256(f.image.tobytes() + f.mask.tobytes()).hexdigest())"
    )
    digests = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout}
    here = draw_frame(5, 2, 1, 4, 96)
    assert digests == {hashlib.sha256(here.image.tobytes() + here.mask.tobytes()).hexdigest() + "\n"}


def test_mask_is_empty_before_contrast():
    shared = draw_sequence(5, 1, 1, _SIZE)
    chord, mask = project(replace(shared, injected=True), shared.parameters.arrival_s - 0.01, _SIZE)
    assert not mask.any()
    assert not chord.any()


def test_contrast_comes_and_goes():
    assert contrast(np.array([0.0, 300.0]), 0.5, 0.0, 2.0).tolist() == [1.0, 0.0]
    assert contrast(np.array([0.0]), 10.0, 0.0, 2.0).tolist() == [0.0]


def test_catheter_is_no_part_of_the_mask(monkeypatch):
    patient, sequence = next(
        (p, s) for p in range(1, 5) for s in (1, 2) if draw_sequence(5, p, s, _SIZE).catheter is not None
    )
    with_catheter = draw_frame(5, patient, sequence, 4, _SIZE)
    shared = replace(draw_sequence(5, patient, sequence, _SIZE), catheter=None)
    monkeypatch.setattr("helpers.dev.synthesis.sequence.draw_sequence", lambda *_: shared)
    without = draw_frame(5, patient, sequence, 4, _SIZE)
    assert np.array_equal(with_catheter.mask, without.mask)
    assert not np.array_equal(with_catheter.image, without.image)


def test_frame_is_eight_bits_with_its_id():
    frame = draw_frame(5, 7, 2, 13, _SIZE)
    assert (frame.frame_id, frame.image.dtype, frame.image.shape) == ("P007-S02-F013", np.uint8, (_SIZE, _SIZE))


def test_splits_by_patient_and_held_out_ranges():
    assert [split_of_patient(number) for number in range(1, 7)] == [Split.TRAIN] * 4 + [Split.DEV, Split.TEST]
    drawn = [draw_parameters(Split.TEST, np.random.default_rng(seed)).pixel_mm for seed in range(200)]
    low, high = TRAIN["pixel_mm"]
    assert any(not low <= value <= high for value in drawn)
    assert all(HELD_OUT["pixel_mm"][0] <= value <= HELD_OUT["pixel_mm"][1] for value in drawn)
