"""The configuration of an export: each official field that shapes the model arrives, and no other is guessed."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.checkpoints.convert.key_map import AttentionHeads
from helpers.checkpoints.convert.model_config import (
    attention_heads,
    native_config,
    require_fields,
    target_shapes,
    ties_head,
)
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import TEMPLATES

ORIGIN = Path("base/config.json")
IDS = {"[SEG]": 30, "<p>": 31}
TOKENIZER = TokenizerFacts(length=33, ids=IDS, added=("[SEG]",), eos=3, pad=4)
VISION = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24}
TEXT = {
    "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 20,
    "num_key_value_heads": 1, "hidden_act": "gelu", "max_position_embeddings": 77, "initializer_range": 0.03,
    "rms_norm_eps": 1e-4, "attention_dropout": 0.25,
}  # fmt: skip
LAYERS = ["full_attention", "sliding_attention", "full_attention"]


def official(architecture="Qwen2ForCausalLM", text=None, vision=None, **more):
    llm = {"architectures": [architecture], **TEXT, **(text or {})}
    return {"vision_config": VISION | (vision or {}), "llm_config": llm, "ps_version": "v2"} | more


def made(config, template="qwen_chat", tied=False, rows=None):
    return native_config(config, ORIGIN, "hiera_t", template, ("[SEG]", "<p>"), TOKENIZER, tied, "float16", rows)


def of(section, names):
    return {name: getattr(section, name) for name in names}


@pytest.mark.parametrize(
    ("architecture", "model_type", "own"),
    [
        (
            "Qwen2ForCausalLM",
            "qwen2",
            {"use_sliding_window": True, "sliding_window": 33, "max_window_layers": 1, "layer_types": LAYERS},
        ),
        ("Qwen3ForCausalLM", "qwen3", {"head_dim": 6, "attention_bias": True}),
        ("LlamaForCausalLM", "llama", {"head_dim": 6, "attention_bias": True, "mlp_bias": True}),
    ],
)
def test_what_shapes_the_language_model_arrives(architecture, model_type, own):
    text = made(official(architecture, own)).text_config
    assert text.model_type == model_type
    assert of(text, TEXT) == TEXT and of(text, own) == own
    assert (text.vocab_size, text.eos_token_id, text.pad_token_id) == (33, 3, 4)


@pytest.mark.parametrize(
    ("given", "theta", "scaling"),
    [
        ({}, 10_000.0, None),
        ({"rope_theta": 5e5}, 5e5, None),
        (
            {"rope_theta": 5e5, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
            5e5,
            {"rope_type": "dynamic", "factor": 2.0},
        ),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 7e4}}, 7e4, None),
    ],
)
def test_the_rotary_settings_arrive_in_either_spelling(given, theta, scaling):
    text = made(official(text=given)).to_dict()["text_config"]
    assert (text["rope_theta"], text["rope_scaling"]) == (theta, scaling)


def test_what_shapes_the_vision_tower_arrives():
    own = {"qkv_bias": True, "qk_normalization": True, "norm_type": "rms_norm", "layer_norm_eps": 1e-3}
    own |= {"initializer_range": 0.5, "image_size": 56, "patch_size": 7}
    vision = made(official(vision=own)).vision_config
    assert of(vision, VISION) == VISION
    assert (vision.attention_bias, vision.use_qk_norm, vision.norm_type) == (True, True, "rms_norm")
    assert (vision.layer_norm_eps, vision.initializer_range) == (1e-3, 0.5)
    assert (list(vision.image_size), list(vision.patch_size), vision.use_mean_pooling) == ([56, 56], [7, 7], True)


def test_what_an_official_config_leaves_out_is_internvits_own():
    config = made(official())
    vision = config.vision_config
    assert (vision.attention_bias, vision.use_qk_norm, vision.norm_type) == (False, False, "layer_norm")
    assert (vision.layer_norm_eps, vision.initializer_range) == (1e-6, 0.02)
    assert (list(vision.image_size), list(vision.patch_size)) == ([448, 448], [14, 14])
    assert (config.downsample_ratio, config.select_layer) == (0.5, -1)


def test_what_the_conversion_settled_is_in_the_config():
    config = made(official(downsample_ratio=0.25), template="phi3_chat", tied=True, rows=40)
    expected = {"template": "phi3_chat", "special_tokens": ["[SEG]", "<p>"], "token_ids": IDS}
    assert of(config, expected) == expected
    assert config.downsample_ratio == 0.25 and config.text_config.vocab_size == 40
    assert config.tie_word_embeddings and config.text_config.tie_word_embeddings
    assert config.architectures == ["Sa2VAModel"] and str(config.dtype).endswith("float16")
    assert config.sam2_sizes.embed_dim == 96 and (config.instruction, config.stop_words[0]) == (
        TEMPLATES["phi3_chat"][0],
        "<|end|>",
    )


KEPT = {
    "downsample_ratio": 0.25, "tile_size": 56, "min_tiles": 2, "max_tiles": 5, "use_thumbnail": False,
    "answer_token_limit": 9, "sam2_pixel_constants": "exact", "instruction": "ask {input}", "stop_words": ["."],
}  # fmt: skip


def test_a_folder_of_this_kit_keeps_what_it_says():
    first = made(official()).to_dict() | KEPT
    assert of(made(first), KEPT) == KEPT
    other = made(first, template="phi3_chat")
    assert (other.instruction, tuple(other.stop_words)) == TEMPLATES["phi3_chat"]
    assert (other.template, other.tile_size, other.text_config.hidden_size) == ("phi3_chat", 56, 12)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (official(ps_version="v1"), "ps_version 'v2'"),
        ({name: value for name, value in official().items() if name != "ps_version"}, "ps_version 'v2'.*got 'v1'"),
        (official(select_layer=-4), "select_layer -1.*-4"),
        (official("Phi3ForCausalLM"), "language model Phi3ForCausalLM: expected one of"),
        (official(text={"architectures": None}), r"language model \?"),
        (official(text={"hidden_act": "invented"}), "KeyError"),
    ],
)
def test_what_the_modules_do_not_compute_is_refused_with_the_file(config, message):
    with pytest.raises(RefusedInput, match=f"base/config.json: .*{message}"):
        made(config)


DYNAMIC = {"type": "dynamic", "factor": 2.0}


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ({"bias": False, "rope_scaling": None}, None),
        ({"bias": False, "rope_scaling": DYNAMIC}, None),
        ({"bias": False, "rope_theta": None, "rope_parameters": {**DYNAMIC, "rope_theta": 1e6}}, None),
        ({"bias": True, "rope_scaling": DYNAMIC}, "out biases, got bias True"),
        ({"bias": False, "rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "of type 'dynamic'.*'yarn'"),
        ({"bias": False, "rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "of type 'dynamic'.*'yarn'"),
    ],
)
def test_internlm2_is_a_llama_without_biases_and_with_dynamic_or_no_scaling(text, refusal):
    config = official("InternLM2ForCausalLM", {"rope_theta": 1e6, "vocab_size": 40, **text})
    if refusal is None:
        assert made(config, "internlm2_chat").text_config.model_type == "llama"
    else:
        with pytest.raises(RefusedInput, match=f"expected InternLM2 with.*{refusal}"):
            made(config, "internlm2_chat")


def test_a_tied_head_is_no_tensor_of_the_export():
    heads = [target_shapes(made(official(), tied=tied, rows=40)) for tied in (False, True)]
    assert heads[0].pop("language_model.lm_head.weight") == (40, 12)
    assert heads[0] == heads[1] and heads[1]["language_model.model.embed_tokens.weight"] == (40, 12)


def test_whether_a_base_ties_its_head():
    assert ties_head({"llm_config": {"tie_word_embeddings": True}}) is True
    assert ties_head({"text_config": {"tie_word_embeddings": True}}) is True
    assert ties_head({"llm_config": {"tie_word_embeddings": False}, "text_config": {}}) is False
    assert ties_head({"llm_config": {}}) is ties_head({}) is False


SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


def test_whole_configs_pass():
    require_fields(official(), ORIGIN)
    require_fields(official(vision={"hidden_act": "gelu"}), ORIGIN)
    require_fields({"sa2va_format_version": 1}, ORIGIN)


@pytest.mark.parametrize("section", ["vision_config", "llm_config"])
@pytest.mark.parametrize("size", SIZES)
def test_a_size_that_is_missing_is_named(section, size):
    config = official()
    config[section] = {name: value for name, value in config[section].items() if name != size}
    with pytest.raises(RefusedInput, match=rf"base/config.json: {section} lacks \['{size}'\]"):
        require_fields(config, ORIGIN)
    config[section][size] = "16"
    with pytest.raises(RefusedInput, match="lacks"):
        require_fields(config, ORIGIN)


def test_another_layout_and_another_activation_are_refused():
    other = {"vision_config": VISION, "text_config": {}, **{f"z{number:02}": 0 for number in range(20)}}
    with pytest.raises(RefusedInput, match=r"with vision_config and llm_config, found \['text_config', .*'z09'\]"):
        require_fields(other, ORIGIN)
    with pytest.raises(RefusedInput, match="vision hidden_act: expected 'gelu', got 'relu'"):
        require_fields(official(vision={"hidden_act": "relu"}), ORIGIN)


def test_ids_of_sentencepiece_are_the_tokenizers_or_those_of_a_folder_of_this_kit():
    first = made(official())
    stored = first.to_dict() | {"sentencepiece_ids": 7}
    assert first.sentencepiece_ids is None and made(stored).sentencepiece_ids == 7
    pieces = replace(TOKENIZER, pieces=5)
    again = native_config(stored, ORIGIN, "hiera_t", "qwen_chat", ("[SEG]",), pieces, False, "float16")
    assert again.sentencepiece_ids == 5


INTERNLM2 = {"rope_theta": 1e6, "vocab_size": 40, "rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}


def test_an_internlm2_that_says_nothing_of_biases_has_none():
    config = made(official("InternLM2ForCausalLM", INTERNLM2), "internlm2_chat")
    assert config.text_config.model_type == "llama" and not config.text_config.attention_bias
    assert attention_heads(config) == AttentionHeads(query=3, key_value=1)


@pytest.mark.parametrize("name", ["num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "rope_theta"])
def test_what_llama_would_take_otherwise_must_be_said_for_internlm2(name):
    config = official("InternLM2ForCausalLM", INTERNLM2)
    del config["llm_config"][name]
    with pytest.raises(RefusedInput, match=rf"base/config.json: llm_config lacks \['{name}'\]"):
        made(config, "internlm2_chat")
