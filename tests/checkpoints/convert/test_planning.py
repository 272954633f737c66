"""The accounting: complete, or refused with a message that names the tensor."""

import pytest

from helpers.checkpoints.convert.lora_settings import LoraScale
from helpers.checkpoints.convert.plan import Fate, SourceRole, TensorOrigin
from helpers.checkpoints.convert.planning import make_plan
from helpers.checkpoints.read.adapters import AdapterPart
from helpers.core.errors import RefusedInput

Q = "language_model.model.layers.0.self_attn.q_proj.weight"
LORA = "mllm.model.language_model.base_model.model.model.layers.0.self_attn.q_proj.lora_{}.default.weight"
HEAD = "language_model.lm_head.weight"
EMBED = "language_model.model.embed_tokens.weight"


def scaled(part=AdapterPart.LANGUAGE, **settings):
    return {part: LoraScale(8, **settings)}


def lora_sources(**changes):
    checkpoint = {LORA.format("A"): (2, 4), LORA.format("B"): (6, 2), "mlp1.0.weight": (8,)}
    base = {Q: (6, 4), "mlp1.0.weight": (8,)}
    return {
        SourceRole.CHECKPOINT: checkpoint | changes.get("checkpoint", {}),
        SourceRole.BASE: base | changes.get("base", {}),
    }


TARGETS = {Q: (6, 4), "multi_modal_projector.layer_norm.weight": (8,)}


def test_lora_merges_into_the_base_and_the_checkpoint_overrides_it():
    plan = make_plan(lora_sources(), TARGETS, scales=scaled())
    merged, norm = plan.targets
    assert (merged.origin, merged.lora.scale) == (TensorOrigin.MERGED, 4.0)
    assert (merged.rows[0].role, merged.rows[0].name) == (SourceRole.BASE, Q)
    assert (norm.origin, norm.rows[0].role) == (TensorOrigin.CHECKPOINT, SourceRole.CHECKPOINT)
    assert norm.base_rows[0].role is SourceRole.BASE
    fates = {role: {name: fate.fate for name, fate in found.items()} for role, found in plan.fates.items()}
    assert fates[SourceRole.CHECKPOINT] == {
        LORA.format("A"): Fate.MERGED,
        LORA.format("B"): Fate.MERGED,
        "mlp1.0.weight": Fate.USED,
    }
    assert fates[SourceRole.BASE] == {Q: Fate.MERGED, "mlp1.0.weight": Fate.OVERRIDDEN}


def test_rank_stabilised_lora_divides_by_the_root_of_the_rank():
    plan = make_plan(lora_sources(), TARGETS, scales=scaled(rank_stabilised=True))
    assert plan.targets[0].lora.scale == pytest.approx(8 / 2**0.5)


def test_fused_rows_are_split_in_order():
    sources = {SourceRole.CHECKPOINT: {"vision_model.encoder.layers.0.attn.qkv.bias": (9,)}}
    stem = "vision_tower.encoder.layer.0.attention"
    plan = make_plan(sources, {f"{stem}.{part}_proj.bias": (3,) for part in "qkv"})
    assert [(target.rows[0].start, target.rows[0].stop) for target in plan.targets] == [(0, 3), (3, 6), (6, 9)]


def refused(message, sources, targets=TARGETS, **options):
    with pytest.raises(RefusedInput, match=message):
        make_plan(sources, targets, **({"scales": scaled()} | options))


def test_target_without_a_source_is_named():
    refused("target tensor without a source: seg_projection.linear_1.bias", lora_sources(),
            TARGETS | {"seg_projection.linear_1.bias": (4,)})  # fmt: skip


def test_trained_tensor_without_a_place_is_named():
    refused(
        "checkpoint tensor with no place in the model: extra.weight", lora_sources(checkpoint={"extra.weight": (1,)})
    )


def test_trained_tensor_of_a_layer_that_the_model_lacks_is_named():
    sources = lora_sources(checkpoint={"mllm.model.mlp1.3.bias": (4,)})
    refused(r"checkpoint tensor with no place in the model: mllm\.model\.mlp1\.3\.bias", sources)


def test_shape_mismatch_names_both_shapes():
    refused(r"expects \[8\], the checkpoint gives \[9\]", lora_sources(checkpoint={"mlp1.0.weight": (9,)}))


def test_lora_shape_mismatch_is_refused():
    refused(r"LoRA of .*q_proj.weight is \[6, 5\]", lora_sources(checkpoint={LORA.format("A"): (2, 5)}))


@pytest.mark.parametrize(("kept", "missing"), [("A", "B"), ("B", "A")])
def test_half_a_lora_pair_is_refused(kept, missing):
    sources = lora_sources()
    del sources[SourceRole.CHECKPOINT][LORA.format(missing)]
    refused(f"LoRA pair incomplete: .* has no lora_{missing}", sources)


def test_factors_of_different_rank_are_refused():
    refused("LoRA pair of different ranks", lora_sources(checkpoint={LORA.format("B"): (6, 3)}))


def test_two_adapters_are_refused():
    second = LORA.format("A").replace("default", "second")
    refused("two LoRA adapters", lora_sources(checkpoint={second: (2, 4)}))


def test_unknown_alpha_asks_for_the_option():
    refused("Pass --lora-alpha", lora_sources(), scales=None)


def test_factors_in_a_base_are_refused():
    refused("base: holds LoRA factors", lora_sources(base={LORA.format("A"): (2, 4), LORA.format("B"): (6, 2)}))


@pytest.mark.parametrize("name", ["no_obj_embed_spatial", "obj_ptr_tpos_proj.weight"])
def test_sam21_file_is_recognised(name):
    refused("SAM 2.1 .* Pass the 2.0 file", lora_sources() | {SourceRole.SAM2: {name: (1, 64)}})


def test_tied_head_is_accounted_as_tied():
    sources = {SourceRole.CHECKPOINT: {EMBED: (5, 4), HEAD: (5, 4)}}
    plan = make_plan(sources, {EMBED: (5, 4)}, tied=True)
    assert plan.fates[SourceRole.CHECKPOINT][HEAD].fate is Fate.TIED
    assert plan.fates[SourceRole.CHECKPOINT][HEAD].targets == (EMBED,)


def test_missing_point_embedding_is_refused():
    stem = "grounding_encoder.sam2_model.sam_prompt_encoder.point_embeddings.{}.weight"
    sources = {SourceRole.CHECKPOINT: {stem.format(row): (1, 4) for row in range(3)}}
    refused("needs 4 pieces, found 3", sources, {"sam2.prompt_encoder.point_embed.weight": (4, 4)})


def test_two_names_for_one_target_are_refused():
    refused("both fill", lora_sources(checkpoint={"mllm.model.mlp1.0.weight": (8,)}))


def test_sources_with_native_names_pass_through():
    plan = make_plan({SourceRole.CHECKPOINT: dict(TARGETS)}, TARGETS, native=frozenset({SourceRole.CHECKPOINT}))
    assert [target.rows[0].name for target in plan.targets] == list(TARGETS)


def test_rotary_buffers_of_old_bases_are_recomputed():
    name = "language_model.model.layers.0.self_attn.rotary_emb.inv_freq"
    plan = make_plan(lora_sources(base={name: (2,)}), TARGETS, scales=scaled())
    assert plan.fates[SourceRole.BASE][name].fate is Fate.RECOMPUTED
