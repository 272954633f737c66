"""InternLM2's names, and the places of its fused attention weight."""

import pytest
import torch

from helpers.checkpoints.convert.common_names import internlm2_module, is_internlm2, llama_name
from helpers.checkpoints.convert.key_map import AttentionHeads, LoraName, TensorPlace, canonical_name, places
from tests.support.internlm2_layout import fused

LAYER = "language_model.model.layers.3."
TRAINED = "mllm.model.language_model.base_model.model."


@pytest.mark.parametrize(
    ("stored", "canonical"),
    [
        ("language_model.model.tok_embeddings.weight", "language_model.model.embed_tokens.weight"),
        ("language_model.output.weight", "language_model.lm_head.weight"),
        ("language_model.model.norm.weight", "language_model.model.norm.weight"),
        (LAYER + "attention.wqkv.weight", LAYER + "attention.wqkv.weight"),
        (LAYER + "attention.wo.weight", LAYER + "self_attn.o_proj.weight"),
        (LAYER + "feed_forward.w1.weight", LAYER + "mlp.gate_proj.weight"),
        (LAYER + "feed_forward.w3.weight", LAYER + "mlp.up_proj.weight"),
        (LAYER + "feed_forward.w2.weight", LAYER + "mlp.down_proj.weight"),
        (LAYER + "attention_norm.weight", LAYER + "input_layernorm.weight"),
        (LAYER + "ffn_norm.weight", LAYER + "post_attention_layernorm.weight"),
        (
            TRAINED + "model.tok_embeddings.modules_to_save.default.weight",
            "language_model.model.embed_tokens.weight",
        ),
        (TRAINED + "output.base_layer.weight", "language_model.lm_head.weight"),
        (TRAINED + "output.lora_A.default.weight", LoraName("language_model.lm_head.weight", "A")),
        (
            TRAINED + "model.layers.3.attention.wqkv.lora_B.default.weight",
            LoraName(LAYER + "attention.wqkv.weight", "B"),
        ),
        (
            "base_model.model.model.layers.3.feed_forward.w2.lora_A.weight",
            LoraName(LAYER + "mlp.down_proj.weight", "A"),
        ),
        ("vision_model.encoder.layers.3.attention_norm.weight", "vision_model.encoder.layers.3.attention_norm.weight"),
    ],
)
def test_names_become_those_of_llama(stored, canonical):
    assert canonical_name(stored) == canonical


def test_modules_have_the_names_that_modules_to_save_gives():
    assert internlm2_module("language_model.model.embed_tokens.weight") == "tok_embeddings"
    assert internlm2_module("language_model.lm_head.weight") == "output"
    assert internlm2_module("language_model.model.norm.weight") == "norm"
    assert llama_name("language_model.model.layers.0.attention.wo.bias").endswith("self_attn.o_proj.bias")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["language_model.model.layers.0.attention.wqkv.weight"], True),
        (["mllm.model.language_model.base_model.model.model.layers.0.feed_forward.w1.lora_A.default.weight"], True),
        (["language_model.model.layers.0.self_attn.q_proj.weight", "vision_model.encoder.layers.0.attn.qkv.weight"],
         False),
    ],
)  # fmt: skip
def test_the_language_model_is_known_by_its_names(names, expected):
    assert is_internlm2(names) is expected


def test_a_fused_weight_is_split_by_key_heads():
    # Four query heads, two key heads: q0 q1 k0 v0 q2 q3 k1 v1.
    query, key, value = (f"{LAYER}self_attn.{part}_proj.weight" for part in "qkv")
    assert places(LAYER + "attention.wqkv.weight", AttentionHeads(4, 2)) == (
        TensorPlace(query, 0, 8, 0, 4),
        TensorPlace(query, 1, 8, 1, 4),
        TensorPlace(key, 2, 8, 0, 2),
        TensorPlace(value, 3, 8, 0, 2),
        TensorPlace(query, 4, 8, 2, 4),
        TensorPlace(query, 5, 8, 3, 4),
        TensorPlace(key, 6, 8, 1, 2),
        TensorPlace(value, 7, 8, 1, 2),
    )


@pytest.mark.parametrize(("query_heads", "key_heads"), [(4, 2), (6, 2), (4, 4), (3, 1)])
def test_the_places_restore_what_was_fused(query_heads, key_heads):
    size, width = 2, 3
    parts = {part: torch.randn(heads * size, width) for part, heads in
             (("q", query_heads), ("k", key_heads), ("v", key_heads))}  # fmt: skip
    whole = fused(parts["q"], parts["k"], parts["v"], key_heads)
    found = {part: torch.zeros_like(tensor) for part, tensor in parts.items()}
    for place in places(LAYER + "attention.wqkv.weight", AttentionHeads(query_heads, key_heads)):
        target = found[place.target.removeprefix(LAYER + "self_attn.")[0]]
        target.chunk(place.positions)[place.position].copy_(whole.chunk(place.parts)[place.part])
    assert all(torch.equal(found[part], parts[part]) for part in parts)


def test_without_the_heads_a_fused_weight_has_no_place():
    assert places(LAYER + "attention.wqkv.weight") == ()
