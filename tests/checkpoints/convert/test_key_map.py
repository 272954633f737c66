"""The map between the official export's names and the native model's."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.checkpoints.convert.key_map import (
    SAM2,
    SAM21_ONLY,
    LoraName,
    Piece,
    TensorPlace,
    canonical_name,
    inverse,
    is_wrapped,
    places,
    restore_map,
)
from helpers.checkpoints.convert.model_config import target_shapes
from helpers.model.configuration_sa2va import Sa2VAConfig

LORA_STEM = "mllm.model.language_model.base_model.model.model.layers.3."


@pytest.mark.parametrize(
    ("stored", "canonical"),
    [
        (
            LORA_STEM + "self_attn.q_proj.lora_A.default.weight",
            LoraName("language_model.model.layers.3.self_attn.q_proj.weight", "A"),
        ),
        (
            LORA_STEM + "mlp.down_proj.lora_B.weight",
            LoraName("language_model.model.layers.3.mlp.down_proj.weight", "B"),
        ),
        (
            "mllm.model.language_model.base_model.model.model.embed_tokens.modules_to_save.default.weight",
            "language_model.model.embed_tokens.weight",
        ),
        (
            "mllm.model.language_model.base_model.model.lm_head.modules_to_save.default.weight",
            "language_model.lm_head.weight",
        ),
        (LORA_STEM + "self_attn.q_proj.base_layer.weight", "language_model.model.layers.3.self_attn.q_proj.weight"),
        ("mllm.model.mlp1.3.bias", "mlp1.3.bias"),
        ("mllm.model.vision_model.encoder.layers.0.ls1", "vision_model.encoder.layers.0.ls1"),
        ("language_model.model.norm.weight", "language_model.model.norm.weight"),
        ("text_hidden_fcs.0.weight", "text_hidden_fcs.0.weight"),
        ("memory_encoder.fuser.layers.0.gamma", SAM2 + "memory_encoder.fuser.layers.0.g_weight"),
        (SAM2 + "memory_encoder.fuser.layers.1.gamma", SAM2 + "memory_encoder.fuser.layers.1.g_weight"),
        ("no_mem_embed", SAM2 + "no_mem_embed"),
    ],
)
def test_stored_names_become_canonical(stored, canonical):
    assert canonical_name(stored) == canonical


def test_fused_attention_splits_into_query_key_value_in_this_order():
    stem = "vision_tower.encoder.layer.7.attention"
    assert places("vision_model.encoder.layers.7.attn.qkv.weight") == (
        TensorPlace(f"{stem}.q_proj.weight", 0, 3),
        TensorPlace(f"{stem}.k_proj.weight", 1, 3),
        TensorPlace(f"{stem}.v_proj.weight", 2, 3),
    )


def test_point_embeddings_join_into_one_table():
    assert [places(f"{SAM2}sam_prompt_encoder.point_embeddings.{row}.weight") for row in range(4)] == [
        (TensorPlace("sam2.prompt_encoder.point_embed.weight", position=row, positions=4),) for row in range(4)
    ]


def test_fourier_matrix_goes_to_both_copies():
    found = places(SAM2 + "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix")
    assert [place.target for place in found] == [
        "sam2.shared_image_embedding.positional_embedding",
        "sam2.prompt_encoder.shared_embedding.positional_embedding",
    ]


@pytest.mark.parametrize("name", ["optimizer.state", SAM2 + "no_obj_embed_spatial", "vision_model.head.weight"])
def test_unknown_names_have_no_place(name):
    assert places(name) == ()


def test_unknown_native_name_has_no_origin():
    with pytest.raises(KeyError):
        inverse(["sam2.invented.weight"])


def _native_names(layers: int) -> list[str]:
    config = Sa2VAConfig(
        vision_config={"hidden_size": 16, "num_hidden_layers": layers, "num_attention_heads": 2,
                       "intermediate_size": 8, "attention_bias": True, "use_qk_norm": True},
        text_config={"model_type": "qwen2", "hidden_size": 16, "intermediate_size": 8, "num_hidden_layers": layers,
                     "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 11},
        sam2_config="hiera_t",
    )  # fmt: skip
    return list(target_shapes(config))


@given(layers=st.integers(1, 3))
def test_every_native_tensor_has_canonical_origins_that_lead_back_to_it(layers):
    native = _native_names(layers)
    canonical = inverse(native)
    reached = {place.target for name in canonical for place in places(name)}
    assert reached == set(native)


def _shrunk(name: str, generator: torch.Generator) -> torch.Tensor:
    """A tiny stand-in with the real name: three rows a part, so that splits are visible."""
    return torch.randn(6 if ".attn.qkv." in name else 2, 3, generator=generator).bfloat16()


@pytest.mark.golden
def test_real_names_of_an_8b_export_are_consumed_once_and_restored_bit_for_bit(shared):
    names = json.loads((shared / "golden/reference/fork_internvl3_8b_export_keys.json").read_text())
    generator = torch.Generator().manual_seed(0)
    tensors = {name: _shrunk(name, generator) for name in names}
    native: dict[str, dict[int, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        for place in places(name):
            pieces = native.setdefault(place.target, {})
            assert place.position not in pieces, f"{place.target} is filled twice"
            pieces[place.position] = tensor.chunk(place.parts)[place.part]
    filled = {name: torch.cat([pieces[row] for row in sorted(pieces)]) for name, pieces in native.items()}

    assert len(names) == 1589
    assert set(inverse(filled)) == set(names)
    for name, pieces in restore_map(names).items():
        parts = [filled[piece.target].chunk(piece.parts)[piece.part] for piece in pieces]
        assert torch.equal(torch.cat(parts), tensors[name]), name


def test_of_several_copies_the_first_is_named_and_pieces_stand_in_row_order():
    fourier = SAM2 + "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    point = SAM2 + "sam_prompt_encoder.point_embeddings.2.weight"
    fused = "vision_model.encoder.layers.1.attn.qkv.bias"
    stem = "vision_tower.encoder.layer.1.attention."
    assert restore_map([fourier, point, fused, "mlp1.0.bias"]) == {
        fourier: (Piece("sam2.shared_image_embedding.positional_embedding"),),
        point: (Piece("sam2.prompt_encoder.point_embed.weight", 2, 4),),
        fused: (Piece(f"{stem}q_proj.bias"), Piece(f"{stem}k_proj.bias"), Piece(f"{stem}v_proj.bias")),
        "mlp1.0.bias": (Piece("multi_modal_projector.layer_norm.bias"),),
    }


@pytest.mark.parametrize(
    ("stored", "canonical"),
    [
        ("base_model.model.model.layers.2.mlp.up_proj.lora_A.weight",
         LoraName("language_model.model.layers.2.mlp.up_proj.weight", "A")),
        ("base_model.model.lm_head.weight", "language_model.lm_head.weight"),
        ("base_model.model.model.embed_tokens.weight", "language_model.model.embed_tokens.weight"),
        ("base_model.model.model.norm.weight", "language_model.model.norm.weight"),
        ("base_model.model.encoder.layers.2.attn.qkv.lora_B.weight",
         LoraName("vision_model.encoder.layers.2.attn.qkv.weight", "B")),
        ("base_model.model.embeddings.class_embedding", "vision_model.embeddings.class_embedding"),
        ("base_model.model.language_model.lm_head.weight", "language_model.lm_head.weight"),
        ("base_model.model.text_hidden_fcs.0.bias", "text_hidden_fcs.0.bias"),
        ("base_model.model.unknown.weight", "base_model.model.unknown.weight"),
    ],
)  # fmt: skip
def test_names_in_a_file_of_peft_become_canonical(stored, canonical):
    assert canonical_name(stored) == canonical


SAM2_ROOTS = (
    "image_encoder.a", "sam_prompt_encoder.a", "sam_mask_decoder.a", "memory_attention.a", "memory_encoder.a",
    "obj_ptr_proj.a", "obj_ptr_tpos_proj.a", "mask_downsample.a", "maskmem_tpos_enc", "no_mem_embed",
    "no_mem_pos_enc", "no_obj_ptr", "no_obj_embed_spatial",
)  # fmt: skip


def test_names_of_a_bare_sam2_file_get_their_prefix():
    assert [canonical_name(name) for name in SAM2_ROOTS] == [SAM2 + name for name in SAM2_ROOTS]
    assert canonical_name("other.a") == "other.a" and canonical_name("other.gamma") == "other.gamma"
    assert SAM21_ONLY == (SAM2 + "no_obj_embed_spatial", SAM2 + "obj_ptr_tpos_proj.")


@pytest.mark.parametrize(
    ("stored", "wrapped"),
    [(LORA_STEM + "q.lora_A.weight", True), ("a.base_model.model.b", True), ("a.modules_to_save.default.b", True),
     ("a.original_module.b", True), ("a.base_layer.weight", True), ("language_model.lm_head.weight", False)],
)  # fmt: skip
def test_names_that_peft_gives(stored, wrapped):
    assert is_wrapped(stored) is wrapped
