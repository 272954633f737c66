"""Families, told from names, configs and training classes, never from a folder's name."""

import re
from functools import partial

import pytest

from helpers.checkpoints.read.family_name import family_name
from helpers.checkpoints.read.inspection import inspect_checkpoint
from tests.support.tiny_sources import fixture_sources, qwen_vl_sources

LORA = "mllm.model.base_model.model.model.language_model.layers.0.mlp.up_proj.lora_A.default.weight"


@pytest.mark.parametrize(
    ("names", "config", "training", "expected"),
    [
        ([LORA], None, "projects.sa2va.models.mllm.qwen3vl.Qwen3VL", "Qwen3-VL"),
        ([LORA], None, "projects.sa2va.models.mllm.qwen2_5_vl.Qwen2_5_VL", "Qwen2.5-VL"),
        ([LORA], None, None, "Qwen-VL"),
        (["model.visual.deepstack_merger_list.0.norm.weight"], None, None, "Qwen3-VL"),
        (["visual.merger.ln_q.weight"], None, None, "Qwen2.5-VL"),
        (["visual.blocks.0.norm1.weight"], None, None, "Qwen-VL"),
        (["a.weight"], {"model_type": "qwen3_vl"}, None, "Qwen3-VL"),
        (["a.weight"], {"text_config": {"model_type": "qwen2_5_vl_text"}}, None, "Qwen2.5-VL"),
        (["a.weight"], {"sa2va_format_version": 2, "family": "qwen3_vl"}, None, "Qwen3-VL"),
        (["a.weight"], {"model_type": "sa2va_chat", "vision_config": {"model_type": "qwen2_5_vl"}}, None, "Qwen2.5-VL"),
        (["a.weight"], {"sa2va_format_version": 2, "family": "qwen2_5_vl"}, None, "Qwen2.5-VL"),
        (["a.weight"], {"sa2va_format_version": 1}, None, "InternVL"),
        (["vision_model.embeddings.class_embedding"], {"model_type": "internvl_chat"}, None, "InternVL"),
        (["mllm.model.language_model.base_model.model.lm_head.lora_A.default.weight"], None, "a.InternVL", "InternVL"),
        (["image_encoder.trunk.pos_embed"], None, None, None),
    ],
)  # fmt: skip
def test_what_tells_a_family(names, config, training, expected):
    assert family_name(names, config, training) == expected


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (fixture_sources, "InternVL"),
        (partial(qwen_vl_sources, "qwen25vl"), "Qwen2.5-VL"),
        (partial(qwen_vl_sources, "qwen3vl"), "Qwen3-VL"),
    ],
)
def test_inspect_names_the_family_of_a_checkpoint_and_of_its_base(sources, expected):
    tiny = sources()
    for path in (tiny.checkpoint, tiny.base):
        found = inspect_checkpoint(path)
        assert found.to_dict()["family"] == expected
        assert re.search(rf"^family +{re.escape(expected)}$", found.to_text(), re.MULTILINE)
    assert inspect_checkpoint(tiny.sam2).to_dict()["family"] is None
