"""The configuration: rotary settings in both spellings, refusals, round trip."""

import json

import pytest

from helpers.model.configuration_sa2va import Sa2VAConfig, portable_text_config, rope_settings
from helpers.model.processing_sa2va import build_prompt
from helpers.model.sam2_sizes import PRESETS, Sam2Sizes

TEXT = {"model_type": "qwen2", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "intermediate_size": 8, "vocab_size": 5}  # fmt: skip
DYNAMIC = {"rope_type": "dynamic", "factor": 2.0}
SHARES = {"mrope_section": [1, 1, 0]}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"rope_theta": 1e6}, (1e6, None)),
        ({"rope_theta": 1e6, "rope_scaling": None}, (1e6, None)),
        ({"rope_theta": 1e6, "rope_scaling": {"type": "dynamic", "factor": 2.0}}, (1e6, DYNAMIC)),
        ({"rope_theta": 1e6, "rope_scaling": {**DYNAMIC, "type": "dynamic"}}, (1e6, DYNAMIC)),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}, (5e5, None)),
        ({"rope_parameters": {**DYNAMIC, "rope_theta": 5e5}}, (5e5, DYNAMIC)),
        ({"rope_theta": 1e6, "rope_scaling": {"type": "mrope", **SHARES}}, (1e6, {"rope_type": "default", **SHARES})),
        (
            {"rope_parameters": {"rope_type": "default", "type": "mrope", "rope_theta": 5e5, **SHARES}},
            (5e5, {"rope_type": "default", **SHARES}),
        ),
        ({}, (1e4, None)),
    ],
)
def test_rotary_settings_are_read_from_either_spelling(stored, expected):
    assert rope_settings(stored) == expected
    portable = portable_text_config(stored)
    assert (portable["rope_theta"], portable["rope_scaling"]) == expected
    assert portable["rope_parameters"]["rope_theta"] == expected[0]


def test_config_survives_json_with_both_spellings():
    text = TEXT | {"rope_theta": 1e6, "rope_scaling": {"type": "dynamic", "factor": 2.0}}
    config = Sa2VAConfig(text_config=text, sam2_config="hiera_t", token_ids={"[SEG]": 4})
    stored = json.loads(config.to_json_string(use_diff=False))
    assert stored["text_config"]["rope_scaling"] == DYNAMIC
    assert stored["text_config"]["rope_parameters"] == DYNAMIC | {"rope_theta": 1e6}
    again = Sa2VAConfig(**{name: value for name, value in stored.items() if name != "model_type"})
    assert again.to_dict() == config.to_dict()
    assert again.sam2_sizes == PRESETS["hiera_t"]


def test_version_1_is_an_internvl_and_a_family_has_its_own_fields_alone():
    old = Sa2VAConfig(text_config=TEXT, sa2va_format_version=1)
    assert (old.family, old.sa2va_format_version) == ("internvl", 2)
    assert "tile_size" in old.to_dict() and "least_pixels" not in old.to_dict()
    shares = SHARES | {"mrope_interleaved": True}
    scaling = {"rope_type": "default", **shares}
    text = TEXT | {"model_type": "qwen3_vl_text", "rope_theta": 5e6, "rope_scaling": scaling}
    new = Sa2VAConfig(family="qwen3_vl", text_config=text)
    stored = json.loads(new.to_json_string(use_diff=False))
    assert stored["family"] == "qwen3_vl" and "tile_size" not in stored and stored["most_pixels"] == 2048 * 28 * 28
    assert stored["text_config"]["rope_parameters"] == {"rope_type": "default", "rope_theta": 5e6, **shares}
    again = Sa2VAConfig(**{name: value for name, value in stored.items() if name != "model_type"})
    assert again.to_dict() == new.to_dict()


def test_each_qwen_family_has_the_channel_statistics_of_its_own():
    text = TEXT | {"rope_theta": 1e6, "rope_scaling": {"rope_type": "default", **SHARES}}
    older, newer = (
        Sa2VAConfig(family=family, text_config=text | {"model_type": f"{family}_text"})
        for family in ("qwen2_5_vl", "qwen3_vl")
    )
    assert older.pixel_mean == [0.48145466, 0.4578275, 0.40821073]
    assert older.pixel_std == [0.26862954, 0.26130258, 0.27577711]
    assert newer.pixel_mean == newer.pixel_std == [0.5, 0.5, 0.5]
    own = Sa2VAConfig(family="qwen3_vl", text_config=newer.to_dict()["text_config"], pixel_mean=(0.1, 0.2, 0.3))
    assert own.pixel_mean == [0.1, 0.2, 0.3]


def test_template_fills_instruction_and_stop_words():
    config = Sa2VAConfig(text_config=TEXT, template="internlm2_chat")
    assert config.instruction == "<|im_start|>user\n{input}<|im_end|>\n<|im_start|>assistant\n"
    assert config.stop_words == ["<|im_end|>"]


@pytest.mark.parametrize("model_type", ["qwen2", "qwen3", "llama"])
def test_phi3_chat_is_the_same_text_whatever_the_language_model(model_type):
    config = Sa2VAConfig(text_config=TEXT | {"model_type": model_type}, template="phi3_chat")
    asked = build_prompt("<image>\nSegment the vessels.", "", config.instruction, "<img></img>")
    assert asked == "<|user|>\n<img></img>\nSegment the vessels.<|end|>\n<|assistant|>\n"
    assert config.stop_words == ["<|end|>"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sa2va_format_version": 3}, "this code reads 1 and 2, the folder says 3"),
        ({"family": "llava"}, "family: expected one of"),
        ({"ps_version": "v1"}, "expected ps_version 'v2'"),
        ({"select_layer": -2}, "select_layer -1"),
        ({"template": "vicuna"}, "template: expected one of"),
        ({"sam2_config": "hiera_xl"}, "sam2_config: expected one of"),
        ({"sam2_pixel_constants": "bf16"}, "sam2_pixel_constants: expected"),
        ({"text_config": TEXT | {"model_type": "phi3"}}, "model_type: expected one of"),
    ],
)
def test_settings_that_would_build_another_model_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Sa2VAConfig(**({"text_config": TEXT} | changes))


def test_sizes_refuse_unknown_and_missing_names():
    with pytest.raises(ValueError, match=r"unknown \['widht'\], missing \['stages'\]"):
        Sam2Sizes.from_dict({"embed_dim": 16, "num_heads": 1, "global_att_blocks": [1], "widht": 3})


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_sizes_survive_json(name):
    assert Sam2Sizes.from_dict(json.loads(json.dumps(PRESETS[name].to_dict()))) == PRESETS[name]
