"""Reading, predicting and writing side by side: order, bounds, failures, stopping."""

import errno
import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.core.errors import VesselkitError
from helpers.prediction.engine import batch_pipeline, io_threads
from helpers.prediction.engine.batch_pipeline import FrameResult, Stop, predict_batch, run_batches, stopping
from helpers.prediction.engine.case_result import Failure
from helpers.prediction.engine.io_threads import load
from helpers.prediction.work_shards import fixed_batches
from helpers.runs.asked_prompts import AskedPrompts
from tests.support.drawn_frames import draw_frames
from tests.support.plain_predictor import PROMPT, PlainPredictor

ASKED = AskedPrompts.numbered([PROMPT])


def run(frames, predictor, size=2, **options):
    outcomes, counts = [], []

    def write(outcome):
        outcomes.append(outcome)
        return True

    run_batches(fixed_batches(frames, size), predictor, ASKED, write, written=counts.append, **options)
    assert sum(counts) == len(outcomes)
    return {outcome.frame.case_id: outcome for outcome in outcomes}


def statuses(outcomes):
    return {
        case_id: str(outcome.found.status) if isinstance(outcome.found, Failure) else "answered"
        for case_id, outcome in sorted(outcomes.items())
    }


def test_every_frame_is_answered_in_fixed_batches(tmp_path):
    predictor = PlainPredictor()
    outcomes = run(draw_frames(tmp_path, [1, 2, 3, 4, 5]), predictor)
    assert predictor.batches == [[1, 2], [3, 4], [5]]
    assert set(statuses(outcomes).values()) == {"answered"} and len(outcomes) == 5
    assert predictor.threads == {"read"}
    assert [outcomes[case].timing["batch_size"] for case in ("c01", "c05")] == [2, 1]


def test_drafted_answers_are_counted_beside_the_times(tmp_path):
    frames = draw_frames(tmp_path, [1, 2, 255])
    outcomes = run(frames, PlainPredictor({2: lambda answer: replace(answer, drafted=True)}))
    assert [outcomes[case].timing.get("drafted_answers") for case in ("c01", "c02", "c03")] == [0, 1, None]


def test_failing_frames_stop_no_other(tmp_path):
    frames = draw_frames(tmp_path, [1, 2, 3, 255, 5, 6])
    frames[0].path.write_bytes(b"no image")
    frames[1] = replace(frames[1], path=tmp_path / "missing.png")
    predictor = PlainPredictor({5: RuntimeError("kernel failed in /srv/model/x.py")})
    outcomes = run(frames, predictor)
    assert statuses(outcomes) == {
        "c01": "read_error",
        "c02": "read_error",
        "c03": "answered",
        "c04": "error",
        "c05": "error",
        "c06": "answered",
    }
    assert predictor.batches == [[3], [5, 6], [5], [6]]
    messages = [outcome.found.message for outcome in outcomes.values() if isinstance(outcome.found, Failure)]
    assert not any("/" in message or "Doe" in message for message in messages)


def test_batches_that_do_not_fit_are_halved(tmp_path):
    predictor = PlainPredictor(most=1)
    outcomes = run(draw_frames(tmp_path, [1, 2, 3, 4, 5]), predictor, size=5)
    assert set(statuses(outcomes).values()) == {"answered"}
    assert [len(batch) for batch in predictor.batches] == [5, 3, 2, 1, 1, 1, 2, 1, 1]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_a_frame_too_large_even_alone_is_tried_once_more(tmp_path, error):
    predictor = PlainPredictor({2: error})
    outcomes = run(draw_frames(tmp_path, [1, 2]), predictor)
    assert statuses(outcomes) == {"c01": "answered", "c02": "oom"}
    assert predictor.batches == [[1, 2], [1], [2], [2]]


def test_a_failed_device_stops_the_run_with_what_is_kept(tmp_path):
    predictor = PlainPredictor({3: torch.AcceleratorError("CUDA error: device-side assert")})
    written = []
    batches = fixed_batches(draw_frames(tmp_path, [1, 2, 3, 4]), 2)
    with pytest.raises(VesselkitError, match="the device failed"):
        run_batches(batches, predictor, ASKED, lambda outcome: written.append(outcome) or True)
    assert len(written) == 2


@pytest.mark.parametrize(
    "number, said", [(errno.ENOSPC, "the disk became full; the cases written before are kept"), (errno.EACCES, "writ")]
)
def test_results_that_cannot_be_written_stop_the_run(tmp_path, number, said):
    written = []

    def write(outcome: FrameResult) -> bool:
        if outcome.frame.case_id == "c03":
            raise OSError(number, os.strerror(number))
        written.append(outcome)
        return True

    batches = fixed_batches(draw_frames(tmp_path, range(1, 9)), 1)
    with pytest.raises(VesselkitError, match=said):
        run_batches(batches, PlainPredictor(), ASKED, write)
    assert {"c01", "c02"} <= {outcome.frame.case_id for outcome in written}


def test_a_slow_disk_holds_the_model_back(tmp_path, monkeypatch):
    monkeypatch.setattr(io_threads, "UNWRITTEN", 3)
    gate, predictor = threading.Event(), PlainPredictor()
    seen = []

    def watch():
        time.sleep(0.4)
        seen.append(len(predictor.batches))
        gate.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    batches = fixed_batches(draw_frames(tmp_path, range(1, 21)), 1)
    run_batches(batches, predictor, ASKED, lambda outcome: gate.wait(5))
    watcher.join()
    assert seen[0] == 4 and len(predictor.batches) == 20


def test_a_stop_ends_after_the_batch_and_writes_it(tmp_path):
    stop, predictor = Stop(), PlainPredictor()
    predict = predictor.predict

    def stopped(prepared, prompts):
        stop.asked = True
        return predict(prepared, prompts)

    predictor.predict = stopped
    assert list(run(draw_frames(tmp_path, range(1, 9)), predictor, stop=stop)) == ["c01", "c02"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_handlers_come_back(number):
    before = signal.getsignal(number)
    with stopping() as stop:
        assert not stop.asked
        os.kill(os.getpid(), number)
        assert stop.asked
    assert signal.getsignal(number) is before


def test_a_second_interrupt_ends_at_once():
    with pytest.raises(KeyboardInterrupt), stopping():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


def test_other_threads_note_no_signals():
    found = []

    def enter():
        with stopping() as stop:
            found.append(stop.asked)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [False]


def test_a_batch_without_readable_frames_asks_no_model(tmp_path):
    frames = draw_frames(tmp_path, [255])
    predictor = PlainPredictor()
    (outcome,) = predict_batch(predictor, [load(frames[0], predictor)], ASKED)
    assert isinstance(outcome.found, Failure) and predictor.batches == []
    assert outcome.facts.width == 4 and "Doe" not in outcome.found.message


def test_an_unexpected_error_is_not_hidden(tmp_path):
    predictor = PlainPredictor({1: AttributeError("a mistake in the code")})
    with pytest.raises(AttributeError):
        run(draw_frames(tmp_path, [1, 2]), predictor)


def test_answers_are_those_of_the_frame(tmp_path):
    outcomes = run(draw_frames(tmp_path, [9, 8]), PlainPredictor())
    (answer,) = outcomes["c02"].found
    assert np.unique(answer.logits).tolist() == [-127.5, -119.5, 127.5]


def test_threads_follow_the_processors(monkeypatch):
    found = []
    for processors in (1, 2, 8, 16, 64):
        monkeypatch.setattr(batch_pipeline.os, "sched_getaffinity", lambda _, count=processors: set(range(count)))
        found.append((batch_pipeline.worker_threads({}), batch_pipeline.worker_threads({"LOCAL_WORLD_SIZE": "2"})))
    assert found == [(2, 2), (2, 2), (2, 2), (4, 2), (4, 4)]


@pytest.mark.parametrize("device, expected", [("cpu", 2), ("cuda:0", 1)])
def test_the_thread_that_launches_on_a_gpu_shares_no_copies_with_threads_that_read(tmp_path, device, expected):
    predictor, found = PlainPredictor(), []
    predictor.settings = {"device": device}
    predict = predictor.predict
    predictor.predict = lambda *given: found.append(torch.get_num_threads()) or predict(*given)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run(draw_frames(tmp_path, [1, 2]), predictor)
        assert found == [expected] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
