"""What is told of a device's memory before weights are loaded."""

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.convert.model_config import target_shapes
from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Preset, Quantization
from helpers.dev.bench.model_presets import preset_config
from helpers.prediction.engine import memory_estimate
from helpers.prediction.engine.memory_estimate import (
    WORKING_BYTES,
    free_bytes,
    limit_memory,
    require_memory,
    stored_shapes,
    weight_bytes,
)

GPU, GB = torch.device("cuda:0"), 10**9


@pytest.fixture(scope="module")
def shapes():
    return target_shapes(preset_config(Preset.B8))


def test_bytes_of_a_small_model():
    shapes = {"language_model.model.layers.0.up.weight": (64, 128), "sam2.weight": (64, 128), "norm": (10,)}
    assert weight_bytes(shapes, torch.float32) == 4 * (2 * 64 * 128 + 10)
    assert weight_bytes(shapes, torch.bfloat16, Quantization.INT8) == 64 * 128 + 2 * 64 + 2 * (64 * 128 + 10)
    assert weight_bytes(shapes, torch.bfloat16, Quantization.NF4) == 32 * 128 + 2 * 64 * 2 + 2 * (64 * 128 + 10)


def test_bytes_of_the_published_size(shapes):
    # 15.24 GiB in bfloat16, as transformers itself holds it.
    assert weight_bytes(shapes, torch.bfloat16) / (1 << 30) == pytest.approx(15.24, abs=0.01)
    assert weight_bytes(shapes, torch.bfloat16, Quantization.NF4) / (1 << 30) < 6.5


def require(shapes, monkeypatch, free, dtype=torch.bfloat16, quantization=None, device=GPU):
    monkeypatch.setattr(memory_estimate, "free_bytes", lambda _: free)
    require_memory(shapes, device, dtype, quantization)


@pytest.mark.parametrize(
    "free, dtype, advice",
    [
        (20, torch.float32, r"needs about 34 GB on cuda:0, but 20 GB are free. Use --dtype bfloat16 \(about 18 GB\)"),
        (14, torch.bfloat16, r"needs about 18 GB on cuda:0, but 14 GB are free. Use --quantize int8 \(about 11 GB\)"),
        (10, torch.bfloat16, r"10 GB are free. Use --quantize nf4 \(about 8 GB\)"),
        (6, torch.bfloat16, r"6 GB are free, too little even for --quantize nf4. Free some, or use --device cpu"),
    ],
)
def test_too_little_is_refused_with_what_fits(shapes, monkeypatch, free, dtype, advice):
    with pytest.raises(UsageProblem, match=advice):
        require(shapes, monkeypatch, free * GB, dtype)


def test_enough_or_unknown_passes(shapes, monkeypatch, caplog):
    require(shapes, monkeypatch, weight_bytes(shapes, torch.bfloat16) + WORKING_BYTES)
    require(shapes, monkeypatch, 9 * GB, quantization=Quantization.NF4)
    require(shapes, monkeypatch, None)
    assert not caplog.records
    require(shapes, monkeypatch, 6 * GB, device=torch.device("cpu"))
    assert "needs about 18 GB on cpu, but 6 GB are free" in caplog.text


@pytest.mark.parametrize("device", [GPU, torch.device("cuda")])
def test_free_memory_heeds_the_process_limit(monkeypatch, device):
    def answer(value):
        def call(index):
            assert index == 0  # these calls take no device without a number
            return value

        return call

    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    limits = {"mem_get_info": (70 * GB, 80 * GB), "memory_reserved": 3 * GB, "memory_allocated": 1 * GB}
    for name, value in limits.items():
        monkeypatch.setattr(torch.cuda, name, answer(value))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", answer(1.0))
    assert free_bytes(device) == 72 * GB
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", answer(0.25))
    assert free_bytes(device) == 19 * GB  # of 20 allowed, 1 is taken
    assert free_bytes(torch.device("cpu")) > 0 and free_bytes(torch.device("mps")) is None


def test_a_limit_is_a_share_of_the_card(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(total_memory=80 * GB))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *given: asked.append(given))
    limit_memory(torch.device("cuda"), 20 * GB)
    limit_memory(torch.device("cuda:1"), 100 * GB)
    assert asked == [(0.25, 0), (1.0, 1)]


def test_shapes_come_from_headers(tmp_path):
    save_file({"a": torch.zeros(2, 3)}, tmp_path / "model-00001-of-00002.safetensors", metadata={"format": "pt"})
    save_file({"b": torch.zeros(4)}, tmp_path / "model-00002-of-00002.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({}))
    assert stored_shapes(tmp_path) == {"a": (2, 3), "b": (4,)}
