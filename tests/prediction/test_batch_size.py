"""Batch sizes by device: that of the model, of several GPUs too."""

import json
from types import SimpleNamespace

import numpy as np
import torch

from helpers.prediction import batch_size, image_predictor, run
from helpers.prediction.batch_size import CPU_BATCH, automatic_batch_size, device_of
from helpers.prediction.engine import memory_estimate
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.prediction.sequences.sequence_tracking import SequencePredictor
from helpers.runs import finishing
from tests.support.plain_predictor import PlainPredictor

SECOND = torch.device("cuda", 1)


def test_batch_size_by_device(monkeypatch):
    assert automatic_batch_size(torch.device("cpu")) == CPU_BATCH
    sizes = []
    for free in (1 << 30, 5 << 30, 80 << 30):
        monkeypatch.setattr(batch_size, "free_bytes", lambda device, free=free: free)
        sizes.append(automatic_batch_size(SECOND))
    assert sizes == [1, 3, 16]


def test_the_memory_of_the_models_own_gpu_counts(monkeypatch):
    free = {0: 80 << 30, 1: 5 << 30}
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index], 80 << 30))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda index: 1.0)
    for name in ("memory_reserved", "memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, lambda index: 0)
    assert memory_estimate.free_bytes(SECOND) == 5 << 30
    assert (automatic_batch_size(SECOND), automatic_batch_size(torch.device("cuda"))) == (3, 16)


def test_predictors_name_the_device_of_their_model():
    model = SimpleNamespace(device=SECOND)
    alone, sequences = object.__new__(Sa2VAPredictor), object.__new__(SequencePredictor)
    alone._model, sequences._alone = model, alone
    assert device_of(alone) == device_of(sequences) == SECOND
    assert device_of(PlainPredictor()) == torch.device("cpu")
    assert device_of(SimpleNamespace(settings={})) == torch.device("cpu")


def test_a_run_and_images_in_memory_ask_for_the_predictors_device(frames, tmp_path, monkeypatch):
    asked = []
    predictor = PlainPredictor()
    predictor.device = SECOND
    for module in (run, image_predictor):
        monkeypatch.setattr(module, "automatic_batch_size", lambda device: asked.append(device) or 2)
    for module in (run, finishing):  # the second: what the manifest says of the machine
        monkeypatch.setattr(module, "making", lambda device: asked.append(device) or {"gpu": None})
    run.predict(frames[:2], predictor, tmp_path / "run")
    config = json.loads((tmp_path / "run/run.json").read_text())["config"]
    assert asked == [SECOND, "cuda:1", "cuda:1"] and config["predictor"] == {"device": "cpu", "dtype": "float32"}
    image_predictor.ImagePredictor(predictor).predict(np.zeros((4, 4), np.uint8))
    assert asked[3:] == [SECOND]
