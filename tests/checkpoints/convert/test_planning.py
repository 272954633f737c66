"""The accounting: complete, or refused with a message that names the tensor."""

import pytest

from helpers.checkpoints.convert.key_map import AttentionHeads
from helpers.checkpoints.convert.lora_settings import LoraScale
from helpers.checkpoints.convert.plan import Fate, Lora, SourceFate, SourceRole, TensorOrigin
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


LAYER = "language_model.model.layers.0."
WQKV = LAYER + "attention.wqkv.weight"
FUSED_LORA = "mllm.model.language_model.base_model.model.model.layers.0.attention.wqkv.lora_{}.default.weight"
# Four query heads and two key heads of one row each: q0 q1 k0 v0 q2 q3 k1 v1.
HEADS = AttentionHeads(4, 2)
FUSED_ROWS = {"q": ((0, 2), (4, 6)), "k": ((2, 3), (6, 7)), "v": ((3, 4), (7, 8))}
SPLIT_TARGETS = {f"{LAYER}self_attn.{part}_proj.weight": (4 if part == "q" else 2, 3) for part in "qkv"}


def test_a_weight_fused_by_heads_is_one_source_with_three_targets():
    plan = make_plan({SourceRole.CHECKPOINT: {WQKV: (8, 3)}}, SPLIT_TARGETS, heads=HEADS)
    found = {target.name: tuple((part.start, part.stop) for part in target.rows) for target in plan.targets}
    assert found == {f"{LAYER}self_attn.{part}_proj.weight": rows for part, rows in FUSED_ROWS.items()}
    assert plan.fates[SourceRole.CHECKPOINT] == {WQKV: SourceFate(Fate.USED, tuple(SPLIT_TARGETS))}


def test_lora_on_a_weight_fused_by_heads_is_split_with_it():
    factors = {FUSED_LORA.format("A"): (2, 3), FUSED_LORA.format("B"): (8, 2)}
    sources = {SourceRole.CHECKPOINT: factors, SourceRole.BASE: {WQKV: (8, 3)}}
    plan = make_plan(sources, SPLIT_TARGETS, scales=scaled(), heads=HEADS)
    for target, (part, rows) in zip(plan.targets, FUSED_ROWS.items(), strict=True):
        assert target.name == f"{LAYER}self_attn.{part}_proj.weight"
        assert target.lora == Lora(FUSED_LORA.format("A"), FUSED_LORA.format("B"), rows, 4.0)
        assert target.base_rows == target.rows
    assert {fate.fate for found in plan.fates.values() for fate in found.values()} == {Fate.MERGED}


def test_lora_on_a_fused_weight_is_merged_onto_a_base_that_is_split():
    factors = {FUSED_LORA.format("A"): (2, 3), FUSED_LORA.format("B"): (8, 2)}
    sources = {SourceRole.CHECKPOINT: factors, SourceRole.BASE: dict(SPLIT_TARGETS)}
    plan = make_plan(sources, SPLIT_TARGETS, native=frozenset({SourceRole.BASE}), scales=scaled(), heads=HEADS)
    assert [target.lora.rows for target in plan.targets] == list(FUSED_ROWS.values())
    assert [len(target.rows) for target in plan.targets] == [1, 1, 1]


@pytest.mark.parametrize(
    ("sources", "heads", "said"),
    [
        ({WQKV: (8, 3)}, None, "checkpoint tensor with no place in the model: .*wqkv"),
        ({WQKV: (7, 3)}, HEADS, "cannot be split into equal parts: .*wqkv"),
        ({WQKV: (16, 3)}, HEADS, "shape mismatch: .*q_proj.weight expects \\[4, 3\\], the checkpoint gives \\[8, 3\\]"),
        ({WQKV: (8, 3), f"{LAYER}self_attn.k_proj.weight": (2, 3)}, HEADS, "two tensors for one"),
    ],
)
def test_a_fused_weight_that_does_not_fit_is_refused(sources, heads, said):
    with pytest.raises(RefusedInput, match=said):
        make_plan({SourceRole.CHECKPOINT: sources}, SPLIT_TARGETS, heads=heads)


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


def test_a_missing_tensor_is_told_without_those_that_its_lack_leaves_unused():
    names = TARGETS | {"seg_projection.linear_1.bias": (4,)}
    with pytest.raises(RefusedInput) as refusal:
        make_plan(lora_sources(checkpoint={"text_hidden_fcs.9.bias": (4,)}), names, scales=scaled())
    assert "without a source: seg_projection.linear_1.bias" in str(refusal.value)
    assert "tensor unused" not in str(refusal.value)


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


QKV = "vision_model.encoder.layers.0.attn.qkv."
STEM = "vision_tower.encoder.layer.0.attention."
SPLIT = {f"{STEM}{part}_proj.weight": (2, 4) for part in "qkv"}


def vision_lora(rows=6, columns=4):
    name = "mllm.model.vision_model.base_model.model.encoder.layers.0.attn.qkv.lora_{}.default.weight"
    return {name.format("A"): (2, columns), name.format("B"): (rows, 2)}


def test_lora_of_a_fused_tensor_is_split_as_its_base_is():
    sources = {SourceRole.CHECKPOINT: vision_lora(), SourceRole.BASE: {QKV + "weight": (6, 4)}}
    plan = make_plan(sources, SPLIT, scales=scaled(AdapterPart.VISION))
    assert [(target.lora.rows, target.lora.scale) for target in plan.targets] == [
        (((0, 2),), 4.0),
        (((2, 4),), 4.0),
        (((4, 6),), 4.0),
    ]
    assert [(target.rows[0].start, target.rows[0].stop) for target in plan.targets] == [(0, 2), (2, 4), (4, 6)]
    assert all(target.base_rows == target.rows for target in plan.targets)
    fate = plan.fates[SourceRole.CHECKPOINT][next(iter(vision_lora()))]
    assert (fate.fate, fate.targets) == (Fate.MERGED, tuple(SPLIT))


def test_each_part_has_its_own_scale():
    names = {**lora_sources()[SourceRole.CHECKPOINT], **vision_lora()}
    base = {**lora_sources()[SourceRole.BASE], QKV + "weight": (6, 4)}
    scales = {AdapterPart.LANGUAGE: LoraScale(8), AdapterPart.VISION: LoraScale(3)}
    plan = make_plan({SourceRole.CHECKPOINT: names, SourceRole.BASE: base}, TARGETS | SPLIT, scales=scales)
    found = {target.name: target.lora.scale for target in plan.targets if target.lora}
    assert found == {Q: 4.0, **dict.fromkeys(SPLIT, 1.5)}
    refused("LoRA alpha of visual_encoder_lora is unknown: .*config with visual_encoder_lora written out",
            {SourceRole.CHECKPOINT: names, SourceRole.BASE: base}, TARGETS | SPLIT)  # fmt: skip


def test_lora_of_no_part_and_of_no_layer_is_refused():
    strange = {f"mllm.model.mlp1.1.lora_{factor}.default.weight": (2, 2) for factor in "AB"}
    refused("LoRA of mlp1.1.weight: belongs to neither llm_lora nor visual_enc", lora_sources(checkpoint=strange))
    beyond = {name.replace("layers.0", "layers.9"): shape for name, shape in vision_lora().items()}
    refused("LoRA pair with no place in the model: vision_model.encoder.layers.9.attn.qkv.weight",
            lora_sources(checkpoint=beyond), scales=scaled() | scaled(AdapterPart.VISION))  # fmt: skip


@pytest.mark.parametrize("rows", [4, 5])
def test_rows_that_cannot_be_split_into_three_are_refused(rows):
    sources = {SourceRole.CHECKPOINT: {QKV + "weight": (rows, 4)}}
    refused(rf"checkpoint tensor that cannot be split into equal parts: .*qkv.weight \[{rows}, 4\]", sources, SPLIT)


@pytest.mark.parametrize("shape", [(2,), (2, 4, 1)])
def test_a_factor_of_other_dimensions_is_refused(shape):
    refused("LoRA pair of different ranks", lora_sources(checkpoint={LORA.format("A"): shape}))


def test_the_counterpart_of_a_trained_tensor_is_the_nearest_base():
    """A Sa2VA that was loaded over the base lies between; what it overrides has its fate, and what nobody took."""
    name = "mlp1.0.weight"
    sources = {
        SourceRole.CHECKPOINT: {f"mllm.model.{name}": (8,)},
        SourceRole.PRETRAINED: {f"mllm.model.{name}": (8,), "spare.weight": (1,)},
        SourceRole.BASE: {name: (8,)},
    }
    (target,) = make_plan(sources, {"multi_modal_projector.layer_norm.weight": (8,)}).targets
    fates = make_plan(sources, {target.name: (8,)}).fates
    assert (target.origin, target.base_rows[0].role) == (TensorOrigin.CHECKPOINT, SourceRole.PRETRAINED)
    assert fates[SourceRole.PRETRAINED][f"mllm.model.{name}"].fate is Fate.OVERRIDDEN
    assert fates[SourceRole.PRETRAINED][f"mllm.model.{name}"].targets == (target.name,)
    assert fates[SourceRole.BASE][name].fate is Fate.OVERRIDDEN
    assert fates[SourceRole.PRETRAINED]["spare.weight"].fate is Fate.NOT_TAKEN
    del sources[SourceRole.CHECKPOINT][f"mllm.model.{name}"]
    (below,) = make_plan(sources, {target.name: (8,)}).targets
    assert (below.origin, below.base_rows) == (TensorOrigin.PRETRAINED, None)


def test_a_pretrained_file_of_other_shapes_is_refused_by_names_of_both_files():
    sources = {
        SourceRole.CHECKPOINT: {"mllm.model.mlp1.0.weight": (8,)},
        SourceRole.PRETRAINED: {"mllm.model.mlp1.0.weight": (9,), "mllm.model." + HEAD: (7, 4)},
    }
    targets = {"multi_modal_projector.layer_norm.weight": (8,), EMBED: (5, 4)}
    said = r"--pretrained FILE_OR_DIR does not fit --base DIR: 1 tensor .*mlp1.0.weight \[9\], in the mod"
    refused(said, sources, targets)
    names = {SourceRole.PRETRAINED: "Sa2VA.pth", SourceRole.BASE: "InternVL"}
    refused(r"Sa2VA.pth does not fit --base InternVL: 2 tensors .*lm_head.weight \[7, 4\], in the model \[5",
            sources, targets, tied=True, names=names)  # fmt: skip


def test_pieces_of_a_pretrained_file_are_held_against_their_share():
    point = "grounding_encoder.sam2_model.sam_prompt_encoder.point_embeddings.{}.weight"
    targets = {"sam2.prompt_encoder.point_embed.weight": (4, 4), **SPLIT}
    fused = {"mllm.model." + QKV + "weight": (6, 4)}
    fits = {SourceRole.PRETRAINED: {point.format(row): (1, 4) for row in range(4)} | fused}
    assert len(make_plan(fits, targets).targets) == 4
    fits[SourceRole.PRETRAINED][point.format(2)] = (2, 4)
    refused(r"1 tensor of another shape .*point_embeddings.2.weight \[2, 4\], in the model \[1, 4\]", fits, targets)


def test_pieces_of_different_widths_are_a_mismatch_with_what_came():
    stem = "grounding_encoder.sam2_model.sam_prompt_encoder.point_embeddings.{}.weight"
    sources = {SourceRole.CHECKPOINT: {stem.format(row): (1, 4 + (row == 3)) for row in range(4)}}
    refused(r"shape mismatch: .*point_embed.weight expects \[4, 4\], the checkpoint gives", sources,
            {"sam2.prompt_encoder.point_embed.weight": (4, 4)})  # fmt: skip


def test_the_untrained_copy_beside_a_trained_module_has_a_fate_and_alone_it_has_none():
    stem = "mllm.model.language_model.base_model.model.model.embed_tokens"
    trained, copy = f"{stem}.modules_to_save.default.weight", f"{stem}.original_module.weight"
    plan = make_plan({SourceRole.CHECKPOINT: {trained: (5, 4), copy: (5, 4)}}, {EMBED: (5, 4)})
    assert plan.fates[SourceRole.CHECKPOINT][copy].fate is Fate.ORIGINAL
    refused("no place in the model: .*original_module", {SourceRole.CHECKPOINT: {copy: (5, 4)}}, {EMBED: (5, 4)})


def test_one_tensor_of_two_places_fills_both():
    fourier = "grounding_encoder.sam2_model.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    copies = ("sam2.shared_image_embedding.positional_embedding",
              "sam2.prompt_encoder.shared_embedding.positional_embedding")  # fmt: skip
    sources = {SourceRole.SAM2: {fourier: (2, 4)}}
    plan = make_plan(sources, dict.fromkeys(copies, (2, 4)))
    assert plan.fates[SourceRole.SAM2][fourier].targets == copies
    refused("sam2 tensor with no place in the model", sources, {copies[0]: (2, 4)})


def test_a_head_for_a_model_without_one_is_refused():
    """A head of the checkpoint has no place in a model that has none, but where head and embeddings are one."""
    sources = {SourceRole.CHECKPOINT: {EMBED: (5, 4), HEAD: (5, 4)}}
    refused("checkpoint tensor with no place in the model: language_model.lm_head.weight", sources, {EMBED: (5, 4)})


def test_a_fused_tensor_of_which_a_part_is_overridden_is_used_all_the_same():
    q, k, v = SPLIT_TARGETS
    sources = {SourceRole.CHECKPOINT: {k: (2, 3)}, SourceRole.BASE: {WQKV: (8, 3)}}
    plan = make_plan(sources, SPLIT_TARGETS, heads=HEADS)
    assert plan.fates[SourceRole.BASE] == {WQKV: SourceFate(Fate.USED, (q, v))}
    assert [target.origin.value for target in plan.targets] == ["base", "checkpoint", "base"]
