"""Names and shapes of Sa2VA-8B and Sa2VA-26B (InternVL2.5 with InternLM2) with Hiera-L. No values."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helpers.checkpoints.convert.key_map import SAM2
from helpers.checkpoints.convert.model_config import attention_heads, native_config, target_shapes
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.model.configuration_sa2va import SPECIAL_TOKENS, Sa2VAConfig
from tests.support.real_sizes import Shapes, once, sam2_shapes

VOCABULARY, BASE_VOCABULARY = 92558, 92553
RANK, ALPHA = 128, 256.0


@dataclass(frozen=True, eq=False)
class RealSize:
    """One of the two models: the fields of its config, and how many tensors the export has without SAM2."""

    name: str
    text: dict
    vision: dict
    tensors: int

    @property
    def official(self) -> dict:
        """Its config.json."""
        text = {"architectures": ["InternLM2ForCausalLM"], "hidden_act": "silu", "rms_norm_eps": 1e-5, "bias": False,
                "rope_theta": 1000000, "rope_scaling": {"factor": 2.0, "type": "dynamic"},
                "max_position_embeddings": 32768, "vocab_size": BASE_VOCABULARY}  # fmt: skip
        vision = {"image_size": 448, "patch_size": 14, "hidden_act": "gelu", "layer_norm_eps": 1e-6}
        return {"ps_version": "v2", "select_layer": -1, "downsample_ratio": 0.5, "llm_config": text | self.text,
                "vision_config": vision | self.vision}  # fmt: skip


@cache
def config_of(size: RealSize) -> Sa2VAConfig:
    """The export's; to be read only."""
    ids = {token: BASE_VOCABULARY + place for place, token in enumerate(SPECIAL_TOKENS)}
    tokenizer = TokenizerFacts(VOCABULARY, ids, SPECIAL_TOKENS, 2, 2)
    origin = Path("config.json")
    return native_config(
        size.official, origin, "hiera_l", "internlm2_chat", SPECIAL_TOKENS, tokenizer, False, "bfloat16"
    )


REAL_SIZES = {
    "sa2va_8b_internvl2_5_internlm2_5_7b": RealSize(
        "Sa2VA-8B",
        {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
         "num_key_value_heads": 8},
        {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
         "norm_type": "layer_norm", "qk_normalization": False, "qkv_bias": True},
        577,
    ),
    "sa2va_26b_internvl2_5_internlm2_5_20b": RealSize(
        "Sa2VA-26B",
        {"hidden_size": 6144, "intermediate_size": 16384, "num_hidden_layers": 48, "num_attention_heads": 48,
         "num_key_value_heads": 8},
        {"hidden_size": 3200, "intermediate_size": 12800, "num_hidden_layers": 45, "num_attention_heads": 25,
         "norm_type": "rms_norm", "qk_normalization": True, "qkv_bias": False},
        938,
    ),
}  # fmt: skip


def language_shapes(size: RealSize) -> Shapes:
    """The language model's tensors in the official export."""
    width, inner = size.text["hidden_size"], size.text["intermediate_size"]
    heads = attention_heads(config_of(size))
    shapes: Shapes = {
        "language_model.model.tok_embeddings.weight": (VOCABULARY, width),
        "language_model.model.norm.weight": (width,),
        "language_model.output.weight": (VOCABULARY, width),
    }
    for layer in range(size.text["num_hidden_layers"]):
        stem = f"language_model.model.layers.{layer}"
        shapes |= {
            f"{stem}.attention.wqkv.weight": (width // heads.query * (heads.query + 2 * heads.key_value), width),
            f"{stem}.attention.wo.weight": (width, width),
            f"{stem}.feed_forward.w1.weight": (inner, width),
            f"{stem}.feed_forward.w3.weight": (inner, width),
            f"{stem}.feed_forward.w2.weight": (width, inner),
            f"{stem}.attention_norm.weight": (width,),
            f"{stem}.ffn_norm.weight": (width,),
        }
    return shapes


def vision_shapes(size: RealSize) -> Shapes:
    """The vision tower's and the projector's tensors, in the official export and in the base."""
    width, inner, language = size.vision["hidden_size"], size.vision["intermediate_size"], size.text["hidden_size"]
    shapes: Shapes = {
        "vision_model.embeddings.class_embedding": (1, 1, width),
        "vision_model.embeddings.position_embedding": (1, 1025, width),
        "vision_model.embeddings.patch_embedding.weight": (width, 3, 14, 14),
        "vision_model.embeddings.patch_embedding.bias": (width,),
        "mlp1.0.weight": (4 * width,),
        "mlp1.0.bias": (4 * width,),
        "mlp1.1.weight": (language, 4 * width),
        "mlp1.1.bias": (language,),
        "mlp1.3.weight": (language, language),
        "mlp1.3.bias": (language,),
    }
    for layer in range(size.vision["num_hidden_layers"]):
        shapes |= {
            f"vision_model.encoder.layers.{layer}.{name}": shape for name, shape in _vision_layer(size, width, inner)
        }
    return shapes


def _vision_layer(size: RealSize, width: int, inner: int):
    yield from (("ls1", (width,)), ("ls2", (width,)), ("attn.qkv.weight", (3 * width, width)))
    if size.vision["qkv_bias"]:
        yield "attn.qkv.bias", (3 * width,)
    if size.vision["qk_normalization"]:
        yield from (("attn.q_norm.weight", (width,)), ("attn.k_norm.weight", (width,)))
    yield from (("attn.proj.weight", (width, width)), ("attn.proj.bias", (width,)))
    yield from (("mlp.fc1.weight", (inner, width)), ("mlp.fc1.bias", (inner,)))
    yield from (("mlp.fc2.weight", (width, inner)), ("mlp.fc2.bias", (width,)))
    for norm in ("norm1", "norm2"):
        yield f"{norm}.weight", (width,)
        if size.vision["norm_type"] == "layer_norm":
            yield f"{norm}.bias", (width,)


def export_shapes(size: RealSize) -> Shapes:
    """Every tensor of the official export."""
    width = size.text["hidden_size"]
    projection: Shapes = {
        "text_hidden_fcs.0.weight": (width, width),
        "text_hidden_fcs.0.bias": (width,),
        "text_hidden_fcs.2.weight": (256, width),
        "text_hidden_fcs.2.bias": (256,),
    }
    sam2 = {SAM2 + name.replace(".gamma", ".g_weight"): shape for name, shape in sam2_shapes().items()}
    return vision_shapes(size) | language_shapes(size) | projection | sam2


def base_shapes(size: RealSize) -> Shapes:
    """The InternVL2.5 base: no SAM2, no projection of `[SEG]`, and the vocabulary without Sa2VA's tokens."""
    tables = ("tok_embeddings.weight", "output.weight")
    language = {
        name: (BASE_VOCABULARY, shape[1]) if name.endswith(tables) else shape
        for name, shape in language_shapes(size).items()
    }
    return vision_shapes(size) | language


def partial_shapes(size: RealSize) -> Shapes:
    """The partial checkpoint of a LoRA run with InternLM2's own `modules_to_save`."""
    wrapped = "mllm.model.language_model.base_model.model."
    shapes: Shapes = {}
    for name, shape in export_shapes(size).items():
        inner = name.removeprefix("language_model.").removesuffix(".weight")
        if name.endswith(("tok_embeddings.weight", "output.weight")):
            shapes[f"{wrapped}{inner}.modules_to_save.default.weight"] = shape
        elif ".attention." in name or ".feed_forward." in name:
            shapes[f"{wrapped}{inner}.lora_A.default.weight"] = (RANK, shape[1])
            shapes[f"{wrapped}{inner}.lora_B.default.weight"] = (shape[0], RANK)
        elif name.startswith("mlp1."):
            shapes[f"mllm.model.{name}"] = shape
        elif name.startswith((SAM2 + "sam_mask_decoder.", "text_hidden_fcs.")):
            shapes[name] = shape
    return shapes


@once
def native_shapes(size: RealSize) -> Shapes:
    """Every tensor of the native model."""
    return target_shapes(config_of(size))
