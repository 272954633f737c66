"""InternLM2 within Sa2VA as a native Llama: on the kit's own fixture, and against the official implementation."""

import json
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from helpers.checkpoints.convert import convert
from helpers.model.configuration_sa2va import Sa2VAConfig, build_text_config
from scripts.golden_parity import GOLDEN_FAMILIES, SOURCES, compare_call, load_eager
from tests.support.fixture_maker.recording import CASES, STRIDE
from tests.support.tiny_sources import FIXTURES, internlm2_sources

FAMILY = GOLDEN_FAMILIES["internlm2"]
IMAGE, VIDEO = "img_b_seg2", "video3"  # all of them: python -m scripts.golden_parity
RECORDED = FIXTURES / "internlm2"
FACTS = json.loads((RECORDED / "recorded.json").read_text())["cases"]
ARRAYS = dict(np.load(RECORDED / "recorded.npz"))

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def fixture_model(tmp_path_factory):
    """(model, tokenizer) of the fixture, converted and loaded as a user does."""
    folder = tmp_path_factory.mktemp("internlm2") / "model"
    convert(internlm2_sources().request(folder))
    return load_eager(folder)


def call(fixture_model, case, text=None):
    model, tokenizer = fixture_model
    image = Image.open(FIXTURES / "images" / case.image) if case.image else None
    return model.predict_forward(image=image, text=text or FACTS[case.name]["prompt"], tokenizer=tokenizer)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_recorded_outputs_are_reached(fixture_model, case):
    result = call(fixture_model, case)
    assert result["prediction"] == FACTS[case.name]["text"]
    assert len(result["prediction_masks"]) == len(case.turn.parts)
    for index, (mask, logits) in enumerate(zip(result["prediction_masks"], result["prediction_logits"], strict=True)):
        bits = np.unpackbits(ARRAYS[f"{case.name}/mask_{index}"])[: mask.size].reshape(mask.shape).astype(bool)
        # Another processor rounds the last digits differently; a pixel on the contour may then change sides.
        assert mask.any() and (mask != bits).mean() < 1e-3
        assert np.abs(logits[0, ::STRIDE, ::STRIDE] - ARRAYS[f"{case.name}/logits_{index}"]).max() < 0.05


def test_an_answer_ends_with_its_stop_word_and_the_prompt_begins_with_bos(fixture_model):
    model, tokenizer = fixture_model
    assert model.config.stop_words == ["<|im_end|>"] and tokenizer.eos_token == "</s>"
    ids = FACTS["segment_one_tile"]["token_ids"]
    assert tokenizer.convert_ids_to_tokens(ids[-1]) == "<|im_end|>"
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("<|im_start|>user\n"))[:2] == ["<s>", "<|im_start|>"]


def test_a_seg_in_the_prompt_gives_no_mask(fixture_model):
    result = call(fixture_model, CASES[0], "The vessel is [SEG]. What is in this image?")
    assert len(result["prediction_masks"]) == result["prediction"].count("[SEG]")


def grown_theta(theta: float, factor: float, length: int, most: int, head_dim: int) -> float:
    """Dynamic NTK: the base of the rotary frequencies for a text longer than the model was trained on."""
    return theta * ((factor * length / most) - (factor - 1)) ** (head_dim / (head_dim - 2))


@pytest.mark.parametrize("length", [20, 32, 33, 48, 100])
def test_beyond_its_longest_text_the_rotary_base_grows(length):
    text = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "intermediate_size": 24, "vocab_size": 40, "max_position_embeddings": 32,
            "rope_theta": 1e4, "initializer_range": 0.3}  # fmt: skip
    theta = 1e4 if length <= 32 else grown_theta(1e4, 2.0, length, 32, head_dim=8)
    dynamic = build_text_config(text | {"rope_scaling": {"type": "dynamic", "factor": 2.0}})
    plain = build_text_config(text | {"rope_theta": theta})
    model, expected = (LlamaForCausalLM(config).eval() for config in (dynamic, plain))
    expected.load_state_dict(model.state_dict())
    ids = torch.arange(length)[None] % 40
    with torch.inference_mode():
        assert torch.allclose(model(ids).logits, expected(ids).logits, atol=1e-5)


def test_the_settings_of_the_rotary_base_survive_the_config():
    text = {"model_type": "llama", "rope_theta": 1e6, "rope_scaling": {"type": "dynamic", "factor": 2.0}}
    stored = Sa2VAConfig(text_config=text).to_dict()["text_config"]
    assert stored["rope_parameters"] == {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e6}


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """Folder of a converted golden source, by its name."""

    @cache
    def converted(source):
        output = tmp_path_factory.mktemp(source) / "model"
        convert(FAMILY.request(shared, source, output))
        return output

    return converted


@pytest.fixture(scope="module")
def golden_model(folder):
    return load_eager(folder("ckpt_lora"))


@pytest.mark.golden
def test_the_conversions_agree(folder):
    first, second = (load_file(folder(source) / "model.safetensors") for source in SOURCES)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    for name in ("config.json", "tokenizer.json"):
        assert (folder("ckpt_lora") / name).read_text() == (folder("hf_export") / name).read_text()


@pytest.mark.golden
@pytest.mark.parametrize("name", [IMAGE, "text_only", pytest.param(VIDEO, marks=pytest.mark.endurance)])
def test_calls_have_the_official_outputs(shared, golden_model, name):
    found = compare_call(*golden_model, FAMILY.case(shared, name))
    assert found.differences == ()
    assert name == "text_only" or None not in (found.pixels, found.seg, found.logits, found.mask_pixels)
