"""Names and shapes of InternVL3-8B with Hiera-L, as the official tools store them. No values."""

import re
from collections.abc import Callable
from functools import cache, wraps

import torch

from helpers.checkpoints.convert.key_map import SAM2, inverse, places, restore_map
from helpers.checkpoints.convert.model_config import target_shapes
from helpers.model.configuration_sa2va import Sa2VAConfig

Shapes = dict[str, tuple[int, ...]]
VOCABULARY = 151679
BASE_VOCABULARY = 151674
RANK = 64

VISION = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
          "qkv_bias": True, "qk_normalization": False, "norm_type": "layer_norm", "layer_norm_eps": 1e-6,
          "image_size": 448, "patch_size": 14, "hidden_act": "gelu"}  # fmt: skip
LANGUAGE = {"architectures": ["Qwen2ForCausalLM"], "hidden_size": 3584, "intermediate_size": 18944,
            "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "hidden_act": "silu",
            "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
            "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"},
            "tie_word_embeddings": False, "vocab_size": BASE_VOCABULARY}  # fmt: skip


def once(shapes: Callable[..., Shapes]) -> Callable[..., Shapes]:
    """Shapes that are made at the first call with some sizes, as a copy at each."""
    kept = cache(shapes)

    @wraps(shapes)
    def copied(*sizes) -> Shapes:
        return dict(kept(*sizes))

    return copied


@once
def native_shapes() -> Shapes:
    """Every tensor of the native model."""
    config = Sa2VAConfig(
        vision_config={
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "attention_bias": True,
        },
        text_config={"model_type": "qwen2"}
        | {name: value for name, value in LANGUAGE.items() if name != "architectures"}
        | {"vocab_size": VOCABULARY},
        sam2_config="hiera_l",
    )
    return target_shapes(config)


@once
def export_shapes() -> Shapes:
    """Every tensor of the official export, with the shape that its places in the native model give it."""
    native = native_shapes()
    names = inverse(native)
    shapes = {}
    for name, pieces in restore_map(names).items():
        rows = sum(native[piece.target][0] // piece.parts for piece in pieces)
        shapes[name] = (rows, *native[pieces[0].target][1:])
    return shapes


def base_shapes() -> Shapes:
    """The InternVL3-8B base: no SAM2, no projection of `[SEG]`, and the vocabulary without Sa2VA's tokens."""
    shapes = {
        name: shape
        for name, shape in export_shapes().items()
        if name.startswith(("vision_model.", "language_model.", "mlp1."))
    }
    for name in ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight"):
        shapes[name] = (BASE_VOCABULARY, *shapes[name][1:])
    return shapes


def sam2_shapes() -> Shapes:
    """The published SAM 2.0 Hiera-L file: bare names."""
    return {
        name.removeprefix(SAM2).replace(".g_weight", ".gamma"): shape
        for name, shape in export_shapes().items()
        if name.startswith(SAM2)
    }


def partial_shapes() -> Shapes:
    """The partial checkpoint of a LoRA run of rank 64."""
    shapes: Shapes = {}
    for name, shape in export_shapes().items():
        if match := re.fullmatch(r"language_model\.model\.layers\.(\d+)\.(.+)_proj\.weight", name):
            stem = f"mllm.model.language_model.base_model.model.model.layers.{match.group(1)}.{match.group(2)}_proj"
            shapes[f"{stem}.lora_A.default.weight"] = (RANK, shape[1])
            shapes[f"{stem}.lora_B.default.weight"] = (shape[0], RANK)
        elif name == "language_model.model.embed_tokens.weight":
            shapes["mllm.model.language_model.base_model.model.model.embed_tokens.modules_to_save.default.weight"] = (
                shape
            )
        elif name == "language_model.lm_head.weight":
            shapes["mllm.model.language_model.base_model.model.lm_head.modules_to_save.default.weight"] = shape
        elif name.startswith("mlp1."):
            shapes[f"mllm.model.{name}"] = shape
        elif name.startswith((SAM2 + "sam_mask_decoder.", "text_hidden_fcs.")):
            shapes[name] = shape
    return shapes


def count(shapes: Shapes) -> int:
    """Number of values."""
    return sum(torch.Size(shape).numel() for shape in shapes.values())


def declared_uses(shapes: Shapes) -> dict[str, int]:
    """How many targets each canonical tensor reaches: 1, or as declared for splits and copies."""
    return {name: len(places(name)) for name in shapes}
