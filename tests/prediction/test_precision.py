"""Precision on the tiny model: what agrees, and what overflows on purpose."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Quantization
from helpers.data.frames.frame import Frame
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.precision import PrecisionKind, check_precision, kinds_for
from helpers.prediction.run import DEFAULT_PROMPT
from tests.support.fixture_model import draw_angiograms

KINDS = (PrecisionKind("float32"), PrecisionKind("float16"), PrecisionKind("float32", Quantization.INT8))


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = draw_angiograms(tmp_path_factory.mktemp("frames") / "images", 2)
    return [Frame(f"case-{number}", path) for number, path in enumerate(sorted(folder.iterdir()))]


def test_kinds_agree_on_a_sound_model(fixture_folder, frames):
    found = check_precision(fixture_folder, frames, DEFAULT_PROMPT, "cpu", KINDS)
    reference, half, few = found.results
    assert found.ok and found.frames == 2 and found.device == "cpu"
    assert reference.overlaps == [1, 1] and reference.same_answers == 2
    assert half.same_answers == 2 and min(half.known_overlaps) > 0.95
    assert few.same_answers == 2 and 0.5 < min(few.known_overlaps) <= 1
    assert [stage.stage for stage in reference.stages] == [
        "vision tower", "projector", "language model", "projection of [SEG]", "SAM2 encoder", "mask decoder",
    ]  # fmt: skip
    assert all(0 < stage.largest < 1e4 and stage.not_finite == 0 for stage in reference.stages)
    values = json.loads(json.dumps(found.to_dict()))
    assert (values["schema"], values["schema_version"]) == ("vesselkit.precision", 1)
    assert values["ok"] and values["results"][2]["kind"] == {"dtype": "float32", "quantization": "int8"}
    text = found.to_text()
    assert "masks are compared with those of float32" in text and "int8 (float32)" in text and "Doe" not in text


def test_overflow_is_refused_with_the_stage(fixture_folder, frames):
    """Weights of 30000 overflow float16 in the second block of the language model."""

    def load(folder: Path, device, dtype, quantization):
        loaded, tokenizer = load_model(folder, device, dtype, quantization)
        loaded.language_model.model.layers[1].mlp.down_proj.weight.data.fill_(30000)
        return loaded, tokenizer

    found = check_precision(fixture_folder, frames[:1], DEFAULT_PROMPT, "cpu", KINDS[:2], load)
    wide, half = found.results
    assert wide.refused is None and not found.ok
    assert half.refused.startswith("the language model gives ") and "float16 ends at 6.55e+04" in half.refused
    assert [stage.not_finite > 0 for stage in half.stages][:3] == [False, False, True]
    assert "REFUSED float16: the language model gives" in found.to_text()


def test_what_does_not_fit_is_told_and_the_next_is_the_reference(fixture_folder, frames):
    def load(folder, device, dtype, quantization):
        if quantization is None:
            raise UsageProblem("memory: the model needs about 18 GB")
        return load_model(folder, device, dtype, quantization)

    found = check_precision(fixture_folder, frames[:1], DEFAULT_PROMPT, "cpu", KINDS, load)
    assert [bool(result.stages) for result in found.results] == [False, False, True]
    assert found.ok and found.results[2].overlaps == [1]
    assert "compared with those of int8 (float32)" in found.to_text()
    assert "REFUSED float32: memory: the model needs about 18 GB" in found.to_text()


def test_the_reference_is_what_auto_takes():
    assert [str(kind) for kind in kinds_for(torch.device("cpu"))] == [
        "float32", "mixed", "bfloat16", "float16", "int8 (float32)", "nf4 (float32)",
    ]  # fmt: skip
    with pytest.raises(UsageProblem, match="frames to check with, found none"):
        check_precision(Path("nowhere"), [], DEFAULT_PROMPT)


def test_overlap_of_masks():
    from helpers.prediction.precision import _overlap

    one, two = np.array([[True, True, False]]), np.array([[True, False, False]])
    assert _overlap(one, two) == 0.5 and _overlap(one, None) is None
    assert _overlap(one & False, two & False) == 1
