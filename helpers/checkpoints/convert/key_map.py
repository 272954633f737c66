"""Names of tensors: from any checkpoint layout to the official export's names, and from those to the native model's.

The official export's names are the common language ("canonical names") in which checkpoints, bases and SAM2 files
meet. Every canonical tensor goes to one or more places of the native model; a place is made of one or more row ranges
of canonical tensors. The map is exact in both directions, but for InternLM2: its names become Llama's, and its fused
attention weight is split by heads, which `inverse` does not undo.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from helpers.checkpoints.convert.common_names import QWEN_VL_TABLE, common_name, llama_name
from helpers.checkpoints.read.model_identity import SAM2

_LAYER_PARTS = r"(weight|bias)"

# MLPs of the mask decoder, all of three layers.
_HEADS = r"(output_hypernetworks_mlps\.\d+|iou_prediction_head|pred_obj_score_head)"

# Canonical name -> native name, whole tensors, under the beginnings that all names of a table share. Tried in order;
# the first full match wins.
_TABLES: Mapping[tuple[str, str], Mapping[str, str]] = {
    (r"vision_model\.embeddings\.", r"vision_tower.embeddings."): {
        r"class_embedding": r"cls_token",
        r"position_embedding": r"position_embeddings",
        r"patch_embedding\.(.+)": r"patch_embeddings.projection.\1",
    },
    (r"vision_model\.encoder\.layers\.(\d+)\.", r"vision_tower.encoder.layer.\1."): {
        r"attn\.proj\.(.+)": r"attention.projection_layer.\2",
        r"attn\.([qk])_norm\.weight": r"attention.\2_norm.weight",
        r"norm1\.(.+)": r"layernorm_before.\2",
        r"norm2\.(.+)": r"layernorm_after.\2",
        r"ls([12])": r"lambda_\2",
        r"mlp\.(.+)": r"mlp.\2",
    },
    **QWEN_VL_TABLE,
    (r"", r""): {
        r"mlp1\.0\.(.+)": r"multi_modal_projector.layer_norm.\1",
        r"mlp1\.1\.(.+)": r"multi_modal_projector.linear_1.\1",
        r"mlp1\.3\.(.+)": r"multi_modal_projector.linear_2.\1",
        r"text_hidden_fcs\.0\.(.+)": r"seg_projection.linear_1.\1",
        r"text_hidden_fcs\.2\.(.+)": r"seg_projection.linear_2.\1",
        r"(language_model\..+)": r"\1",
    },
    (SAM2 + r"image_encoder\.trunk\.", r"sam2.vision_encoder.backbone."): {
        r"(pos_embed|pos_embed_window)": r"\1",
        r"patch_embed\.proj\.(.+)": r"patch_embed.projection.\1",
        r"blocks\.(\d+)\.norm([12])\.(.+)": r"blocks.\1.layer_norm\2.\3",
        r"blocks\.(\d+)\.mlp\.layers\.0\.(.+)": r"blocks.\1.mlp.proj_in.\2",
        r"blocks\.(\d+)\.mlp\.layers\.1\.(.+)": r"blocks.\1.mlp.proj_out.\2",
        r"blocks\.(\d+)\.(attn\.qkv|attn\.proj|proj)\.(.+)": r"blocks.\1.\2.\3",
    },
    (SAM2 + r"image_encoder\.neck\.", r"sam2.vision_encoder.neck."): {
        r"convs\.(\d+)\.conv\.(.+)": r"convs.\1.\2",
    },
    (SAM2 + r"sam_prompt_encoder\.", r"sam2.prompt_encoder."): {
        r"(not_a_point_embed|no_mask_embed)\.weight": r"\1.weight",
        r"mask_downscaling\.0\.(.+)": r"mask_embed.conv1.\1",
        r"mask_downscaling\.1\.(.+)": r"mask_embed.layer_norm1.\1",
        r"mask_downscaling\.3\.(.+)": r"mask_embed.conv2.\1",
        r"mask_downscaling\.4\.(.+)": r"mask_embed.layer_norm2.\1",
        r"mask_downscaling\.6\.(.+)": r"mask_embed.conv3.\1",
    },
    (SAM2 + r"sam_mask_decoder\.transformer\.", r"sam2.mask_decoder.transformer."): {
        r"(layers\.\d+\.\w+|final_attn_token_to_image)\.out_proj\.(.+)": r"\1.o_proj.\2",
        r"(layers\.\d+\.\w+|final_attn_token_to_image)\.([qkv]_proj)\.(.+)": r"\1.\2.\3",
        r"layers\.(\d+)\.norm([1-4])\.(.+)": r"layers.\1.layer_norm\2.\3",
        r"norm_final_attn\.(.+)": r"layer_norm_final_attn.\1",
        r"layers\.(\d+)\.mlp\.layers\.0\.(.+)": r"layers.\1.mlp.proj_in.\2",
        r"layers\.(\d+)\.mlp\.layers\.1\.(.+)": r"layers.\1.mlp.proj_out.\2",
    },
    (SAM2 + r"sam_mask_decoder\.", r"sam2.mask_decoder."): {
        r"output_upscaling\.0\.(.+)": r"upscale_conv1.\1",
        r"output_upscaling\.1\.(.+)": r"upscale_layer_norm.\1",
        r"output_upscaling\.3\.(.+)": r"upscale_conv2.\1",
        _HEADS + r"\.layers\.0\.(.+)": r"\1.proj_in.\2",
        _HEADS + r"\.layers\.1\.(.+)": r"\1.layers.0.\2",
        _HEADS + r"\.layers\.2\.(.+)": r"\1.proj_out.\2",
        r"(iou_token|mask_tokens|obj_score_token|conv_s0|conv_s1)\.(.+)": r"\1.\2",
    },
    (SAM2, r"sam2."): {
        r"no_mem_embed": r"no_memory_embedding",
        r"maskmem_tpos_enc": r"memory_temporal_positional_encoding",
        r"no_mem_pos_enc": r"no_memory_positional_encoding",
        r"no_obj_ptr": r"no_object_pointer",
        r"mask_downsample\.(.+)": r"mask_downsample.\1",
        r"obj_ptr_proj\.layers\.0\.(.+)": r"object_pointer_proj.proj_in.\1",
        r"obj_ptr_proj\.layers\.1\.(.+)": r"object_pointer_proj.layers.0.\1",
        r"obj_ptr_proj\.layers\.2\.(.+)": r"object_pointer_proj.proj_out.\1",
    },
    (SAM2 + r"memory_attention\.", r"sam2.memory_attention."): {
        r"layers\.(\d+)\.(self_attn|cross_attn_image)\.out_proj\.(.+)": r"layers.\1.\2.o_proj.\3",
        r"layers\.(\d+)\.norm([1-3])\.(.+)": r"layers.\1.layer_norm\2.\3",
        r"layers\.(\d+)\.(self_attn|cross_attn_image|linear1|linear2)\.(.+)": r"layers.\1.\2.\3",
        r"norm\.(.+)": r"layer_norm.\1",
    },
    (SAM2 + r"memory_encoder\.", r"sam2.memory_encoder."): {
        r"mask_downsampler\.encoder\.12\.(.+)": r"mask_downsampler.final_conv.\1",
        r"pix_feat_proj\.(.+)": r"feature_projection.\1",
        r"out_proj\.(.+)": r"projection.\1",
        r"fuser\.layers\.(\d+)\.g_weight": r"memory_fuser.layers.\1.scale",
        r"fuser\.layers\.(\d+)\.dwconv\.(.+)": r"memory_fuser.layers.\1.depthwise_conv.\2",
        r"fuser\.layers\.(\d+)\.norm\.(.+)": r"memory_fuser.layers.\1.layer_norm.\2",
        r"fuser\.layers\.(\d+)\.pwconv([12])\.(.+)": r"memory_fuser.layers.\1.pointwise_conv\2.\3",
    },
}
_RENAMES = tuple(
    (before + name, after + renamed) for (before, after), table in _TABLES.items() for name, renamed in table.items()
)
_COMPILED = tuple((re.compile(pattern), target) for pattern, target in _RENAMES)

_QKV = re.compile(r"vision_model\.encoder\.layers\.(\d+)\.attn\.qkv\." + _LAYER_PARTS)
_POINT = re.compile(re.escape(SAM2) + r"sam_prompt_encoder\.point_embeddings\.([0-3])\.weight")
_DOWNSAMPLER = re.compile(
    re.escape(SAM2) + r"memory_encoder\.mask_downsampler\.encoder\.(0|1|3|4|6|7|9|10)\." + _LAYER_PARTS
)
_FUSED_HEADS = re.compile(r"language_model\.model\.layers\.(\d+)\.attention\.wqkv\.weight")
_FOURIER = SAM2 + "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"


@dataclass(frozen=True)
class TensorPlace:
    """Where rows of a canonical tensor go.

    Attributes:
        target: name in the native model.
        part, parts: which of how many equal row ranges of the canonical tensor go there.
        position, positions: which of how many pieces of the target they are, in row order.
    """

    target: str
    part: int = 0
    parts: int = 1
    position: int = 0
    positions: int = 1


@dataclass(frozen=True)
class AttentionHeads:
    """Numbers of query heads and of key and value heads in a layer of the language model."""

    query: int
    key_value: int


@cache
def places(canonical: str, heads: AttentionHeads | None = None) -> tuple[TensorPlace, ...]:
    """Every place of a canonical tensor in the native model; empty for a name that no Sa2VA has.

    Args:
        heads: of the language model; None leaves a fused attention weight without a place.
    """
    if match := _FUSED_HEADS.fullmatch(canonical):
        return () if heads is None else tuple(_fused_heads(f"language_model.model.layers.{match[1]}.self_attn", heads))
    if match := _QKV.fullmatch(canonical):
        layer, kind = match.groups()
        stem = f"vision_tower.encoder.layer.{layer}.attention"
        return tuple(TensorPlace(f"{stem}.{name}_proj.{kind}", part, 3) for part, name in enumerate("qkv"))
    if match := _POINT.fullmatch(canonical):
        return (TensorPlace("sam2.prompt_encoder.point_embed.weight", position=int(match.group(1)), positions=4),)
    if match := _DOWNSAMPLER.fullmatch(canonical):
        index, kind = match.groups()
        layer, step = divmod(int(index), 3)
        module = "conv" if step == 0 else "layer_norm"
        return (TensorPlace(f"sam2.memory_encoder.mask_downsampler.layers.{layer}.{module}.{kind}"),)
    if canonical == _FOURIER:
        return (
            TensorPlace("sam2.shared_image_embedding.positional_embedding"),
            TensorPlace("sam2.prompt_encoder.shared_embedding.positional_embedding"),
        )
    for pattern, target in _COMPILED:
        if match := pattern.fullmatch(canonical):
            return (TensorPlace(match.expand(target)),)
    return ()


def _fused_heads(attention: str, heads: AttentionHeads) -> Iterator[TensorPlace]:
    """Places of InternLM2's `wqkv`: for each key head its query heads, then the key head, then the value head."""
    group = heads.query // heads.key_value
    parts = heads.query + 2 * heads.key_value
    for index in range(heads.key_value):
        start = index * (group + 2)
        for head in range(group):
            yield TensorPlace(f"{attention}.q_proj.weight", start + head, parts, index * group + head, heads.query)
        yield TensorPlace(f"{attention}.k_proj.weight", start + group, parts, index, heads.key_value)
        yield TensorPlace(f"{attention}.v_proj.weight", start + group + 1, parts, index, heads.key_value)


@dataclass(frozen=True)
class LoraName:
    """A LoRA factor: `factor` is 'A' or 'B', `weight` the canonical name of the weight that it changes."""

    weight: str
    factor: str


_LORA = re.compile(r"(.+)\.lora_([AB])(?:\.[^.]+)?\.weight")


def canonical_name(stored: str) -> str | LoraName:
    """The canonical name of a tensor as stored by mmengine with xtuner and peft, or by the official tools.

    Training prefixes go (`mllm.`, `model.`, peft's wrappers), `.gamma` becomes the export's `.g_weight`, and a bare
    SAM2 file's names get their prefix.
    """
    name = _of_adapter(stored.removeprefix("mllm."))
    if name.startswith(("model.language_model.", "model.vision_model.", "model.mlp1.")):
        name = name.removeprefix("model.")
    name = name.replace(".base_model.model.", ".")
    name = re.sub(r"\.modules_to_save\.[^.]+\.", ".", name)
    name = common_name(name.replace(".base_layer.", "."))
    if name.startswith(_SAM2_ROOTS):
        name = SAM2 + name
    if name.startswith(SAM2):
        name = re.sub(r"\.gamma$", ".g_weight", name)
    if match := _LORA.fullmatch(name):
        return LoraName(llama_name(f"{match.group(1)}.weight"), match.group(2))
    return llama_name(name)


def _of_adapter(stored: str) -> str:
    """A name in a file of peft's own, which begins with the module that was wrapped: the whole model, or a part."""
    name = stored.removeprefix("base_model.model.")
    if name != stored:
        for prefix, beginnings in _WRAPPED_PARTS.items():
            if name.startswith(beginnings):
                return prefix + name
    return stored


_WRAPPED_PARTS = {
    "language_model.": ("model.layers.", "model.embed_tokens.", "model.norm.", "lm_head.", "model.tok_embeddings.",
                        "output."),
    "vision_model.": ("encoder.layers.", "embeddings."),
    "": ("language_model.", "model.language_model.", "model.visual.", "visual.", "vision_model.", "vision_tower.",
         "mlp1.", "multi_modal_projector.", "text_hidden_fcs.", "seg_projection.", "grounding_encoder.", "sam2."),
}  # fmt: skip


def is_wrapped(stored: str) -> bool:
    """Whether a stored name is one that peft gives, which a model has only once LoRA is attached to it."""
    return any(mark in stored for mark in _WRAPPED)


_WRAPPED = (".lora_", ".base_model.model.", ".modules_to_save.", ".original_module.", ".base_layer.")

_SAM2_ROOTS = (
    "image_encoder.",
    "sam_prompt_encoder.",
    "sam_mask_decoder.",
    "memory_attention.",
    "memory_encoder.",
    "obj_ptr_proj.",
    "obj_ptr_tpos_proj.",
    "mask_downsample.",
    "maskmem_tpos_enc",
    "no_mem_embed",
    "no_mem_pos_enc",
    "no_obj_ptr",
    "no_obj_embed_spatial",
)

# Tensors that only SAM 2.1 has.
SAM21_ONLY = (SAM2 + "no_obj_embed_spatial", SAM2 + "obj_ptr_tpos_proj.")


@dataclass(frozen=True)
class Piece:
    """Rows of a native tensor that restore (part of) a canonical one: piece `part` of `parts` equal ranges."""

    target: str
    part: int = 0
    parts: int = 1


def restore_map(canonical: Iterable[str]) -> Mapping[str, tuple[Piece, ...]]:
    """For each canonical name, the pieces of the native model that restore it, in row order.

    Where a canonical tensor has several copies, the first is named; the copies must be equal.
    """
    pieces = {}
    for name in canonical:
        found = places(name)
        if found[0].parts > 1:
            pieces[name] = tuple(Piece(place.target) for place in found)
        else:
            first = found[0]
            pieces[name] = (Piece(first.target, first.position, first.positions),)
    return pieces


def inverse(native: Iterable[str]) -> tuple[str, ...]:
    """The canonical names whose places are exactly these native tensors.

    Raises:
        KeyError: for a native name that has no canonical origin.
    """
    names: dict[str, None] = {}
    for target in native:
        for name in _origins(target):
            names[name] = None
    return tuple(names)


@cache
def _origins(target: str) -> tuple[str, ...]:
    if match := re.fullmatch(r"vision_tower\.encoder\.layer\.(\d+)\.attention\.[qkv]_proj\.(weight|bias)", target):
        return (f"vision_model.encoder.layers.{match.group(1)}.attn.qkv.{match.group(2)}",)
    if target == "sam2.prompt_encoder.point_embed.weight":
        return tuple(f"{SAM2}sam_prompt_encoder.point_embeddings.{index}.weight" for index in range(4))
    if target.endswith(("shared_image_embedding.positional_embedding", "shared_embedding.positional_embedding")):
        return (_FOURIER,)
    pattern = re.fullmatch(r"sam2\.memory_encoder\.mask_downsampler\.layers\.(\d+)\.(conv|layer_norm)\.(\w+)", target)
    if pattern:
        index = 3 * int(pattern.group(1)) + (pattern.group(2) == "layer_norm")
        return (f"{SAM2}memory_encoder.mask_downsampler.encoder.{index}.{pattern.group(3)}",)
    for source, rename in _RENAMES:
        found = _invert(source, rename, target)
        if found and places(found) == (TensorPlace(target),):
            return (found,)
    raise KeyError(target)


def _invert(source: str, rename: str, target: str) -> str | None:
    """Apply one rename backwards: match the target against the right side, fill the left side's groups."""
    groups = _groups(source)
    pattern = re.escape(rename)
    for number, group in enumerate(groups, start=1):
        pattern = pattern.replace(re.escape(f"\\{number}"), f"(?P<g{number}>{group})", 1)
    match = re.fullmatch(pattern, target)
    if not match:
        return None
    name, position = "", 0
    for number, (start, end) in enumerate(_group_spans(source), start=1):
        name += source[position:start] + match.group(f"g{number}")
        position = end
    return (name + source[position:]).replace("\\.", ".")


def _group_spans(pattern: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\((?!\?)[^()]*\)", pattern)]


def _groups(pattern: str) -> list[str]:
    return [pattern[start + 1 : end - 1] for start, end in _group_spans(pattern)]
