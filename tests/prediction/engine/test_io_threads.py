"""What is read, prepared and gathered ahead of the model: bounds, failures, threads."""

import threading
import time

import numpy as np
import pytest
import torch

from helpers.core.errors import VesselkitError
from helpers.data.frames.image_reading import read_image
from helpers.prediction.engine import io_threads
from helpers.prediction.engine.batch_pipeline import Stop
from helpers.prediction.predictor import Gathers
from tests.prediction.engine.test_batch_pipeline import run, statuses
from tests.support.drawn_frames import draw_frames
from tests.support.plain_predictor import PlainPredictor


class GatheringPredictor(PlainPredictor):
    """Marks what it gathered by a fill of 7 beside the first pixel, which leaves the frame's mark as it is."""

    def __init__(self, error=None):
        super().__init__()
        self.error = error
        self.gathered, self.given = [], []

    def gather(self, prepared):
        self.threads.add(threading.current_thread().name.split("_")[0])
        self.gathered.append([int(red[0, 0]) for red in prepared])
        if self.error is not None:
            raise self.error
        return [np.concatenate([red[:, :1], np.full_like(red[:, 1:], 7)], axis=1) for red in prepared]

    def predict(self, prepared, prompts):
        self.given += [bool((red[:, 1:] == 7).all()) for red in prepared]
        return super().predict(prepared, prompts)


@pytest.mark.parametrize("error", [RuntimeError("Doe^Jane"), AttributeError("PatientName"), ZeroDivisionError()])
def test_a_decoder_that_fails_in_an_unforeseen_way_stops_no_other(tmp_path, monkeypatch, error):
    frames = draw_frames(tmp_path, [1, 2, 3])

    def read(path):
        if path == frames[1].path:
            raise error
        return read_image(path)

    monkeypatch.setattr("helpers.data.frames.frame_source.read_image", read)
    outcomes = run(frames, PlainPredictor())
    assert statuses(outcomes) == {"c01": "answered", "c02": "error", "c03": "answered"}
    message = outcomes["c02"].found.message
    assert message == f"the decoder failed ({type(error).__name__}). Export it again, as PNG for example"


def test_an_image_over_the_cap_has_a_bad_size(tmp_path, monkeypatch):
    frames = draw_frames(tmp_path, [1, 2])
    monkeypatch.setattr(
        io_threads, "read_frame", lambda path, *_given: (_ for _ in ()).throw(io_threads.BadSize(path, "big"))
    )
    assert statuses(run(frames, PlainPredictor())) == {"c01": "bad_size", "c02": "bad_size"}


def test_reading_keeps_a_bounded_distance(tmp_path):
    predictor, reached = PlainPredictor(), []
    read = []
    prepare, predict = predictor.prepare, predictor.predict
    predictor.prepare = lambda image: read.append(1) or prepare(image)

    def slow(prepared, prompts):
        time.sleep(0.05)
        reached.append(len(read) - len(predictor.batches))
        return predict(prepared, prompts)

    predictor.predict = slow
    run(draw_frames(tmp_path, range(1, 16)), predictor, size=1)
    assert max(reached) == io_threads.AHEAD + 1


def test_batches_are_gathered_on_a_thread_of_their_own_and_predicted_as_gathered(tmp_path):
    frames = draw_frames(tmp_path, [1, 2, 3, 4, 5])
    frames[1].path.write_bytes(b"no image")
    predictor = GatheringPredictor()
    assert isinstance(predictor, Gathers) and not isinstance(PlainPredictor(), Gathers)
    found = statuses(run(frames, predictor))
    assert found == {"c01": "answered", "c02": "read_error", "c03": "answered", "c04": "answered", "c05": "answered"}
    assert predictor.gathered == predictor.batches == [[1], [3, 4], [5]] and all(predictor.given)
    assert predictor.threads == {"read", "gather"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("read", "gather"))]


def test_a_batch_that_cannot_be_gathered_is_predicted_as_it_was_prepared_and_told_of(tmp_path, caplog):
    predictor = GatheringPredictor(RuntimeError("no room on the device"))
    assert set(statuses(run(draw_frames(tmp_path, [1, 2, 3]), predictor)).values()) == {"answered"}
    assert predictor.batches == predictor.gathered and not any(predictor.given)
    late = "a batch could not be prefetched to the device and is copied when it is predicted"
    assert caplog.messages == 2 * [f"{late} (RuntimeError: no room on the device)"]


def test_a_device_that_fails_while_it_gathers_ends_the_run(tmp_path):
    predictor = GatheringPredictor(torch.AcceleratorError("CUDA error: unspecified launch failure"))
    with pytest.raises(VesselkitError, match="the device failed .*Check the device"):
        run(draw_frames(tmp_path, [1, 2, 3]), predictor)
    assert predictor.batches == []


def test_a_stop_waits_for_no_more_than_is_being_read(tmp_path):
    stop, predictor, read = Stop(), PlainPredictor(), []
    prepare, predict = predictor.prepare, predictor.predict

    def slow(image):
        read.append(1)
        time.sleep(0.5 if len(read) > 8 else 0)
        return prepare(image)

    def stopped(prepared, prompts):
        stop.asked = True
        return predict(prepared, prompts)

    predictor.prepare, predictor.predict = slow, stopped
    assert len(run(draw_frames(tmp_path, range(1, 25)), predictor, size=8, stop=stop)) == 8
    assert len(read) <= 12


def test_a_mistake_in_gathering_stops_the_run(tmp_path):
    with pytest.raises(TypeError, match="a mistake"):
        run(draw_frames(tmp_path, [1, 2, 3]), GatheringPredictor(TypeError("a mistake")))
