"""Configs of the Qwen families: the family, the place of the language model's settings, and what must be said."""

from copy import deepcopy
from pathlib import Path

import pytest

from helpers.checkpoints.convert.families import facts_of, language_config
from helpers.checkpoints.convert.model_config import native_config, require_fields
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import Family

ORIGIN = Path("base/config.json")
TURN = "<|im_start|>user\n{input}<|im_end|>\n<|im_start|>assistant\n"
TOKENIZER = TokenizerFacts(33, {"[SEG]": 30}, ("[SEG]",), 3, 4, instruction=TURN)
TEXT = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "vocab_size": 40,
    "num_key_value_heads": 1, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "eos_token_id": 5,
    "rope_scaling": {"type": "mrope", "mrope_section": [2, 1, 1]},
}  # fmt: skip
VISION = {
    "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2,
    "temporal_patch_size": 2, "out_hidden_size": 16, "window_size": 112, "fullatt_block_indexes": [1],
}  # fmt: skip
FLAT = {"model_type": "qwen2_5_vl", "architectures": ["Qwen2_5_VLForConditionalGeneration"], **TEXT,
        "vision_config": VISION}  # fmt: skip
STALE = {name: 999 for name in TEXT if name != "rope_scaling"}
EXPORT = {"model_type": "sa2va_chat", "architectures": FLAT["architectures"], **STALE,
          "text_config": TEXT | {"model_type": "qwen2_5_vl_text"}, "vision_config": VISION}  # fmt: skip


def made(config):
    return native_config(config, ORIGIN, "hiera_t", "qwen_chat", ("[SEG]",), TOKENIZER, False, "bfloat16", 35)


def without(config, section, name):
    changed = deepcopy(config)
    del (changed[section] if section else changed)[name]
    return changed


@pytest.mark.parametrize("config", [FLAT, EXPORT], ids=["flat", "with stale settings beside a section"])
def test_settings_of_a_flat_base_and_of_an_export_arrive_alike(config):
    require_fields(config, ORIGIN)
    stored = made(config).to_dict()
    assert stored["family"] == "qwen2_5_vl" and stored["instruction"] == TURN and stored["stop_words"] == []
    text = stored["text_config"]
    assert text["rope_scaling"] == {"rope_type": "default", "mrope_section": [2, 1, 1]}
    assert (text["hidden_size"], text["num_hidden_layers"], text["rms_norm_eps"]) == (16, 2, 1e-6)
    assert (text["vocab_size"], text["eos_token_id"], text["model_type"]) == (35, 5, "qwen2_5_vl_text")
    vision = stored["vision_config"]
    assert (vision["window_size"], vision["fullatt_block_indexes"], vision["patch_size"]) == (112, [1], 14)


def test_the_family_is_named_by_model_types_and_not_by_architectures():
    for config, family in (
        (FLAT, Family.QWEN2_5_VL),
        (EXPORT, Family.QWEN2_5_VL),
        (FLAT | {"model_type": "sa2va_chat", "vision_config": {"model_type": "qwen2_5_vl"}}, Family.QWEN2_5_VL),
        (EXPORT | {"text_config": {"model_type": "qwen3_vl_text"}}, Family.QWEN3_VL),
        ({"model_type": "qwen3_vl", "architectures": FLAT["architectures"]}, Family.QWEN3_VL),
        ({"model_type": "sa2va_chat", "architectures": FLAT["architectures"]}, Family.INTERNVL),
    ):
        assert facts_of(config).family is family, config


def test_a_section_goes_before_what_stands_beside_it():
    assert language_config(EXPORT)["vocab_size"] == 40
    assert language_config(FLAT) is FLAT
    assert language_config({"llm_config": {"vocab_size": 7}, "vocab_size": 8}) == {"vocab_size": 7}


@pytest.mark.parametrize(
    ("section", "name", "said"),
    [
        ("vision_config", "window_size", r"vision_config lacks \['window_size'\]"),
        ("vision_config", "fullatt_block_indexes", r"vision_config lacks \['fullatt_block_indexes'\]"),
        (None, "rms_norm_eps", r"it lacks \['rms_norm_eps'\]; use the Qwen2.5-VL folder's"),
        (None, "rope_theta", "expected rope_theta"),
        (None, "rope_scaling", "got mrope_section None"),
        (None, "vision_config", "expected a config of Qwen2.5-VL with vision_config and text_config"),
    ],
)
def test_what_a_library_would_fill_with_a_number_of_its_own_must_be_said(section, name, said):
    with pytest.raises(RefusedInput, match=f"base/config.json: .*{said}"):
        require_fields(without(FLAT, section, name), ORIGIN)


QWEN3_VISION = {
    "depth": 2, "hidden_size": 8, "intermediate_size": 8, "num_heads": 2, "patch_size": 2, "spatial_merge_size": 2,
    "temporal_patch_size": 2, "out_hidden_size": 8, "num_position_embeddings": 4, "deepstack_visual_indexes": [0],
}  # fmt: skip
QWEN3_TEXT = {
    "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8, "head_dim": 12,
    "num_key_value_heads": 1, "rms_norm_eps": 1e-6, "eos_token_id": 1, "rope_theta": 1e6,
    "rope_scaling": {"mrope_section": [2, 2, 2]},
}  # fmt: skip
QWEN3 = {"model_type": "qwen3_vl", "vision_config": QWEN3_VISION, "text_config": QWEN3_TEXT}


def test_the_shares_are_of_the_stated_width_of_a_head():
    require_fields(QWEN3, ORIGIN)
    other = QWEN3 | {"text_config": QWEN3_TEXT | {"head_dim": 4}}
    with pytest.raises(RefusedInput, match="sum is half of the 4 channels"):
        require_fields(other, ORIGIN)


@pytest.mark.parametrize(
    ("section", "name"),
    [("vision_config", name) for name in QWEN3_VISION]
    + [("text_config", name) for name in QWEN3_TEXT if not name.startswith("rope")],
)
def test_each_size_of_qwen3_vl_must_be_said(section, name):
    with pytest.raises(RefusedInput, match=rf"lacks \['{name}'\]"):
        require_fields(without(QWEN3, section, name), ORIGIN)


@pytest.mark.parametrize("sections", [[2, 1], [2, 2, 1], []])
def test_shares_of_a_head_must_add_up_to_it(sections):
    config = FLAT | {"rope_scaling": {"type": "mrope", "mrope_section": sections}}
    with pytest.raises(RefusedInput, match="sum is half of the 8 channels"):
        require_fields(config, ORIGIN)


# None of these values is a default of transformers.
SHAPING = {"depth": 3, "hidden_size": 16, "hidden_act": "relu", "intermediate_size": 28, "num_heads": 4,
           "in_channels": 4, "patch_size": 7, "spatial_merge_size": 3, "temporal_patch_size": 1,
           "initializer_range": 0.5}  # fmt: skip


@pytest.mark.parametrize(
    ("base", "own"),
    [
        (EXPORT, {"out_hidden_size": 16, "window_size": 84, "fullatt_block_indexes": [2]}),
        (QWEN3, {"out_hidden_size": 8, "num_position_embeddings": 9, "deepstack_visual_indexes": [1]}),
    ],
    ids=["qwen2_5_vl", "qwen3_vl"],
)
def test_what_shapes_the_vision_tower_arrives(base, own):
    vision = SHAPING | own
    stored = made(base | {"vision_config": vision, "text_config": base["text_config"] | {"bos_token_id": 9}}).to_dict()
    assert {name: stored["vision_config"][name] for name in vision} == vision
    assert stored["text_config"]["bos_token_id"] == 9


def test_a_folder_of_this_kit_keeps_its_pixels():
    said = {"least_pixels": 784, "most_pixels": 1568, "pixel_mean": [0.1, 0.2, 0.3], "pixel_std": [0.4, 0.5, 0.6]}
    stored = made(made(FLAT).to_dict() | said).to_dict()
    assert {name: stored[name] for name in said} == said


@pytest.mark.parametrize(
    ("section", "name"),
    [("vision_config", name) for name in VISION]
    + [("text_config", name) for name in TEXT if not name.startswith("rope") and name != "vocab_size"],
)
def test_each_size_of_qwen2_5_vl_must_be_said(section, name):
    with pytest.raises(RefusedInput, match=rf"{section} lacks \['{name}'\]"):
        require_fields(without(EXPORT, section, name), ORIGIN)


@pytest.mark.parametrize(("base", "name"), [(FLAT, "fullatt_block_indexes"), (QWEN3, "deepstack_visual_indexes")])
def test_a_list_of_layers_is_no_number(base, name):
    with pytest.raises(RefusedInput, match=rf"vision_config lacks \['{name}'\]"):
        require_fields(base | {"vision_config": base["vision_config"] | {name: 1}}, ORIGIN)


@pytest.mark.parametrize("place", ["rope_scaling", "rope_parameters"])
def test_theta_may_stand_with_the_shares(place):
    config = {name: value for name, value in FLAT.items() if not name.startswith("rope_")}
    require_fields(config | {place: {"rope_theta": 1e6, "mrope_section": [2, 1, 1]}}, ORIGIN)


@pytest.mark.parametrize("shares", [[2, 2], [1, 1, 1, 1]])
def test_the_shares_of_a_head_are_three(shares):
    with pytest.raises(RefusedInput, match="expected rope_theta, and an mrope_section of three numbers"):
        require_fields(FLAT | {"rope_scaling": {"type": "mrope", "mrope_section": shares}}, ORIGIN)
