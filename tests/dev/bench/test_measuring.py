"""The bench on the tiny model: all numbers are there and fit together."""

import json

import pytest
import torch

from helpers.core.vocabulary import Preset, Quantization
from helpers.dev.bench import measuring
from helpers.dev.bench.measuring import ONE_PASS, STEP_BY_STEP, BenchPlan, measure_model, sufficient_batch
from helpers.dev.bench.model_presets import count_operations
from helpers.dev.bench.sequence_rate import AS_CALLED
from helpers.prediction.engine.dtypes import one_dtype

pytestmark = pytest.mark.model

PLAN = BenchPlan(sides=(448,), batch_sizes=(1, 2), calls=1, files=2, graphs=False, frames=6)
CPU, FLOAT32 = torch.device("cpu"), one_dtype(torch.float32)


@pytest.fixture(scope="module")
def found():
    return measure_model(Preset.TINY, CPU, FLOAT32, PLAN)


def test_all_is_measured(found):
    (image,) = found.images
    assert (image.side, image.tiles, image.tokens) == (448, 1, 273)
    assert set(image.latencies) == {STEP_BY_STEP, ONE_PASS} and set(image.rates) == set(image.peaks) == {1, 2}
    assert all(latency.least <= latency.p50 <= latency.p95 for latency in image.latencies.values())
    assert list(image.stages) == [
        "prepare", "vision tower", "language model", "SAM2 encoder", "mask decoder", "other",
    ]  # fmt: skip
    assert image.stages["SAM2 encoder"] > 0.1 * sum(image.stages.values())
    assert min(image.stages.values()) >= 0
    sequence = found.sequence
    assert sequence.frames == 6 and list(sequence.latencies) == [AS_CALLED] and sequence.launches == {}
    assert list(sequence.stages) == ["frames for the words", "answer", "encoder", "masks and memory"]
    assert min(sequence.stages.values()) > 0
    assert found.finite and found.files.rate_without_model > found.files.rate > 0 and found.answer_tokens == 6


def test_json_and_table(found):
    values = json.loads(json.dumps(found.to_dict()))
    assert values["machine"]["torch"] == torch.__version__ and values["preset"] == "tiny"
    (image,) = values["images"]
    assert image["share_of_ceiling"]["2"] == pytest.approx(
        image["rates"]["2"] * image["total_operations"] / values["machine"]["ceiling"]
    )
    text = found.to_text()
    assert "the answer is forced" in text and "Sure, [SEG]" in text and "all logits finite" in text
    assert "sequence of 6 frames" in text and "(ms a frame)" in text
    assert "273 prompt tokens" in text and "from 2 image files to a run folder, batches of" in text


def test_quantised_models_are_smaller(found):
    plan = BenchPlan(sides=(448,), batch_sizes=(1,), calls=1, files=0, graphs=False)
    smaller = measure_model(Preset.TINY, CPU, FLOAT32, plan, Quantization.NF4)
    assert smaller.weights < found.weights and smaller.quantization == "nf4" and smaller.files is None
    assert "nf4 language model" in smaller.to_text()


def test_a_batch_that_does_not_fit_is_told(monkeypatch):
    masks = measuring._Bench._masks

    def limited(self, predictor, images):
        if len(images) > 1:
            raise torch.OutOfMemoryError
        return masks(self, predictor, images)

    monkeypatch.setattr(measuring._Bench, "_masks", limited)
    plan = BenchPlan(sides=(448,), batch_sizes=(1, 2), calls=1, files=0, graphs=False)
    found = measure_model(Preset.TINY, CPU, FLOAT32, plan)
    assert list(found.images[0].rates) == [1] and found.out_of_memory == [2]
    assert "batches that did not fit in memory: 2" in found.to_text()


def test_operations_of_the_published_sizes():
    """As counted by hand from the layers: 0.72, 0.23 (of 316 tokens) and 1.82 TFLOP for the 1B."""
    counts = count_operations(Preset.B1, (1, 3, 448, 448), 273, 5)
    assert counts["vision tower"] / 1e12 == pytest.approx(0.72, rel=0.03)
    assert counts["language model"] / 1e12 == pytest.approx(0.23 * 278 / 316, rel=0.05)
    assert counts["SAM2 encoder"] / 1e12 == pytest.approx(1.82, rel=0.01)
    assert counts["mask decoder"] < 0.05e12


@pytest.mark.endurance
def test_operations_of_a_qwen3_vl():
    """As counted by hand: 1600 patches through 24 blocks, 400 of 420 tokens from them, of 512 x 512 pixels."""
    counts = count_operations(Preset.QWEN3_VL_4B, (1, 3, 640, 640), 420, 5)
    assert counts["vision tower"] / 1e12 == pytest.approx(1.32, rel=0.02)
    assert counts["language model"] / 1e12 == pytest.approx(3.09, rel=0.05)


@pytest.mark.endurance
def test_operations_of_a_qwen2_5_vl():
    """As counted by hand: 2116 patches through 32 blocks, 28 of them in windows, 529 of 570 tokens from them."""
    counts = count_operations(Preset.QWEN2_5_VL_3B, (1, 3, 644, 644), 570, 5)
    assert counts["vision tower"] / 1e12 == pytest.approx(2.8, rel=0.03)
    assert counts["language model"] / 1e12 == pytest.approx(3.27, rel=0.05)


def test_the_smallest_batch_that_is_almost_the_fastest():
    assert sufficient_batch({1: 33.0, 8: 49.0, 16: 50.5, 32: 51.0}) == 16
    assert sufficient_batch({1: 2.0, 2: 1.0}) == 1 == sufficient_batch({})
