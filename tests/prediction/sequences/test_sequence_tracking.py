"""Sequences into run folders, with the tiny fixture's model."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.core.errors import RefusedInput, Stopped
from helpers.core.vocabulary import Mode
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import Frame
from helpers.dev.synthesis.sequence import draw_frame
from helpers.model.generation import GeneratedText
from helpers.model.processing_sa2va import upsample_logits
from helpers.prediction.engine.batch_pipeline import Stop
from helpers.prediction.engine.case_result import Failure
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.resume import RecomputeReason
from helpers.prediction.run import predict
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.prediction.sequences import sequence_tracking
from helpers.prediction.sequences.sequence_tracking import SequencePredictor, run_sequences
from helpers.runs.run_folder import open_run
from helpers.runs.status import PredictionStatus
from tests.support.dicom_files import angiogram, write
from tests.support.run_files import run_files

PROMPT = "Please segment the blood vessels."


@pytest.fixture(scope="module")
def loaded(fixture_folder):
    torch.set_num_threads(1)
    return load_model(fixture_folder, "cpu", "float32")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Seven frames of a synthetic sequence, the fullest in the middle."""
    folder = tmp_path_factory.mktemp("frames")
    frames = []
    for number in range(1, 8):
        path = folder / f"Doe_Jane_{number}.png"
        Image.fromarray(draw_frame(0, 6, 1, number, 96).image).save(path)
        frames.append(Frame(f"c{number}", path, None, "P1", "P1-S1", number, "test"))
    return frames


def predictor(loaded, mode):
    return SequencePredictor(*loaded, {"name": "fixture"}, mode=mode)


@pytest.fixture(scope="module")
def followed(loaded, drawn):
    """All frames in mode `track`."""
    return outcomes(loaded, Mode.TRACK, drawn)


def outcomes(loaded, mode, frames, prompts=(PROMPT,)):
    with ThreadPoolExecutor(2) as readers:
        found = list(predictor(loaded, mode).outcomes(frames, prompts, readers))
    assert sorted(one.frame.case_id for one in found) == [frame.case_id for frame in frames]
    return {one.frame.case_id: one for one in found}


def images(frames):
    return [Image.open(frame.path) for frame in frames]


def unreadable(frame, folder):
    path = folder / "Doe_Jane_broken.png"
    path.write_bytes(b"no image")
    return replace(frame, path=path)


def test_tracking_is_the_official_call(loaded, drawn, followed):
    model, tokenizer = loaded
    official = model.predict_forward(video=images(drawn), text=PROMPT, tokenizer=tokenizer, max_new_tokens=64)
    for position, frame in enumerate(drawn):
        (answer,) = followed[frame.case_id].found
        full = upsample_logits(torch.from_numpy(answer.logits), answer.network_size, 96, 96).numpy()
        assert answer.text == official["prediction"] and answer.tiles == 5
        assert np.array_equal(full, np.stack(official["prediction_logits"])[:, position])
        assert answer.predicted_iou.shape == answer.object_score.shape == (1,)


def test_a_frame_that_cannot_be_read_is_a_gap(loaded, drawn, followed, tmp_path):
    frames = [*drawn[:5], unreadable(drawn[5], tmp_path), drawn[6]]
    found = outcomes(loaded, Mode.TRACK, frames)
    assert found["c6"].found.status is PredictionStatus.READ_ERROR and "Jane" not in found["c6"].found.message
    for number in range(1, 6):
        assert np.array_equal(found[f"c{number}"].found[0].logits, followed[f"c{number}"].found[0].logits)
    assert np.abs(found["c7"].found[0].logits - followed["c7"].found[0].logits).max() > 0


def test_prompted_frames_are_the_first_that_can_be_read(loaded, drawn, tmp_path):
    frames = [unreadable(drawn[0], tmp_path), *drawn[1:]]
    found = outcomes(loaded, Mode.TRACK, frames)
    model, tokenizer = loaded
    official = model.predict_forward(video=images(drawn[1:]), text=PROMPT, tokenizer=tokenizer, max_new_tokens=64)
    assert isinstance(found["c1"].found, Failure)
    full = upsample_logits(torch.from_numpy(found["c7"].found[0].logits), model.config.sam2_sizes.image_size, 96, 96)
    assert np.array_equal(full[0].numpy(), official["prediction_logits"][0][5])


def test_a_sequence_of_which_nothing_can_be_read_fails_frame_by_frame(loaded, drawn, tmp_path):
    found = outcomes(loaded, Mode.FUSED, [unreadable(frame, tmp_path) for frame in drawn[:2]])
    assert [one.found.status for one in found.values()] == [PredictionStatus.READ_ERROR] * 2


def test_both_ways_from_the_fullest_frames(loaded, drawn, monkeypatch):
    steps = []
    tracker = type(loaded[0].tracker(torch.zeros((1, loaded[0].config.hidden_size))))
    for name in ("prompt", "follow", "turn_back"):
        whole = getattr(tracker, name)
        monkeypatch.setattr(
            tracker, name, lambda *given, name=name, whole=whole: steps.append((name, *given[1:2])) or whole(*given)
        )
    monkeypatch.setattr(sequence_tracking, "FRAMES_SEEN", 2)
    monkeypatch.setattr(sequence_tracking, "fullest", lambda scores, count: (3, 5))
    outcomes(loaded, Mode.TRACK_BOTH, drawn)
    assert [place for name, *place in steps if name == "prompt"] == [[3], [5]]
    assert [step for step in steps if step[0] != "prompt"] == [
        ("follow", 4), ("follow", 6), ("turn_back",), ("follow", 2), ("follow", 1), ("follow", 0), ("turn_back",),
    ]  # fmt: skip


def test_fusing_is_the_mean_of_two_modes(loaded, drawn):
    frames, prompts = drawn[:3], (PROMPT, "Where are the vessels?")
    fused = outcomes(loaded, Mode.FUSED, frames, prompts)
    followed = outcomes(loaded, Mode.TRACK_BOTH, frames, prompts)
    alone = Sa2VAPredictor(*loaded, {})
    for frame, image in zip(frames, images(frames), strict=True):
        answers = alone.predict([alone.prepare(image)], prompts)[0]
        for one, other, found in zip(answers, followed[frame.case_id].found, fused[frame.case_id].found, strict=True):
            assert found.text == one.text
            assert np.allclose(found.logits[0], (one.logits.max(0) + other.logits.max(0)) / 2, atol=1e-5)


@pytest.mark.parametrize("mode", [Mode.TRACK, Mode.TRACK_BOTH, Mode.FUSED])
def test_an_answer_without_seg_is_a_status_of_each_frame_and_told_once(
    loaded, drawn, tmp_path, monkeypatch, caplog, mode
):
    silent = GeneratedText([5, 6], torch.zeros((0, loaded[0].config.hidden_size)), truncated=False)
    monkeypatch.setattr(sequence_tracking, "answer_frames", lambda *_: silent)
    with caplog.at_level(logging.WARNING):
        assert predict(drawn, predictor(loaded, mode), tmp_path / "run", (PROMPT,)).complete
    run = open_run(tmp_path / "run")
    found = [run.prediction(frame.case_id, "p1")[0].status for frame in drawn]
    if mode is Mode.FUSED:  # what frames give by themselves stands
        assert PredictionStatus.NO_SEG not in found and run.mask("c4", "p1") is not None
    else:
        assert found == [PredictionStatus.NO_SEG] * len(drawn) and run.mask("c4", "p1") is None
    assert caplog.text.count("the answer about 5 frames holds no [SEG]") == 1


def test_a_frame_that_the_model_fails_on_does_not_end_the_sequence(loaded, drawn, monkeypatch, caplog):
    tracker = type(loaded[0].tracker(torch.zeros((1, loaded[0].config.hidden_size))))
    follow = tracker.follow

    def failing(self, frame, features):
        if frame == 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return follow(self, frame, features)

    monkeypatch.setattr(tracker, "follow", failing)
    with caplog.at_level(logging.WARNING):
        found = outcomes(loaded, Mode.TRACK, drawn)
    assert found["c6"].found.status is PredictionStatus.OOM and found["c6"].facts.width == 96
    assert len(found["c7"].found[0].logits) == 1 and "c6: oom" in caplog.text


def test_a_stopped_run_goes_on_and_becomes_the_uninterrupted_one(loaded, drawn, tmp_path, monkeypatch):
    frames = [*drawn[:3], *(replace(f, case_id=f"d{f.number}", sequence="P1-S2") for f in drawn[:2])]
    whole, run, model = tmp_path / "whole", tmp_path / "run", predictor(loaded, Mode.TRACK)
    assert predict(frames, model, whole).complete

    def stopped(sequences, *given, stop, written, **options):
        def count(number):
            written(number)
            stop.asked = True

        with monkeypatch.context() as patch:
            patch.setattr("helpers.prediction.engine.io_threads.UNWRITTEN", 1)
            run_sequences(sequences, *given, stop=stop, written=count, **options)

    with monkeypatch.context() as patch, pytest.raises(Stopped, match="of 5 cases done"):
        patch.setattr("helpers.prediction.run.run_sequences", stopped)
        predict(frames, model, run)
    assert 0 < len(list(run.glob("parts/*.json"))) < 5
    assert predict(frames, model, run).complete
    assert run_files(run) == run_files(whole)
    values = open_run(run).config.values
    assert values["mode"] == "track" and values["batch_size"] == 1


def test_a_sequence_that_a_limit_cut_is_followed_anew_when_the_run_grows(loaded, drawn, tmp_path, caplog):
    second = [replace(frame, case_id=f"d{frame.number}", sequence="P1-S2") for frame in drawn[:2]]
    frames = [second[1], drawn[1], second[0], drawn[0]]
    model, run, whole = predictor(loaded, Mode.TRACK), tmp_path / "run", tmp_path / "whole"
    assert predict(frames, model, run, limit=3).complete  # those of the first in order, then the start of the other
    kept = {case_id: (run / f"parts/{case_id}.json").read_bytes() for case_id in open_run(run).cases()}
    assert sorted(kept) == ["c1", "d1", "d2"]
    with caplog.at_level(logging.WARNING):
        assert predict(frames, model, run).complete
    assert predict(frames, model, whole).complete
    assert f"1 case computed again ({RecomputeReason.CUT}): c1" in caplog.text
    assert all((run / f"parts/{one}.json").read_bytes() == kept[one] for one in ("d1", "d2"))
    results = ("logits/", "masks/", "predictions.parquet", "artefacts.parquet", "coco.json", "manifest.json")
    grown, at_once = (
        {name: content for name, content in run_files(one).items() if name.startswith(results)} for one in (run, whole)
    )
    assert grown == at_once


def test_another_mode_is_another_run_and_a_changed_frame_redoes_its_sequence(loaded, drawn, tmp_path, caplog):
    folder = tmp_path / "frames"
    folder.mkdir()
    frames = [replace(frame, path=folder / frame.path.name) for frame in drawn[:2]]
    for frame, image in zip(frames, images(drawn), strict=False):
        image.save(frame.path)
    predict(frames, predictor(loaded, Mode.TRACK), tmp_path / "run")
    with pytest.raises(RefusedInput, match='mode: the run has "track", asked for was "track-both"'):
        predict(frames, predictor(loaded, Mode.TRACK_BOTH), tmp_path / "run")
    Image.open(drawn[6].path).save(frames[0].path)
    with caplog.at_level(logging.WARNING):
        predict(frames, predictor(loaded, Mode.TRACK), tmp_path / "run")
    assert "another frame of their sequence is computed again): c2" in caplog.text


def test_nothing_is_computed_after_a_stop(loaded, drawn):
    stop = Stop()
    stop.asked = True
    run_sequences([drawn], predictor(loaded, Mode.TRACK), (PROMPT,), lambda outcome: pytest.fail("written"), stop=stop)


def test_a_dicom_cine_is_followed(loaded, tmp_path):
    values = np.random.default_rng(0).integers(0, 1024, (3, 64, 64))
    write(tmp_path / "cine/run.dcm", angiogram(values))
    dataset = open_dataset(tmp_path / "cine")
    assert predict(dataset.frames, predictor(loaded, Mode.TRACK_BOTH), tmp_path / "run").complete
    rows = open_run(tmp_path / "run").rows
    assert [row.frame for row in rows] == [1, 2, 3] and len({row.sequence for row in rows}) == 1
    assert {row.tiles for row in rows} == {3} and all(row.seg_count == 1 for row in rows)
