"""Names and shapes of Sa2VA on Qwen3-VL-4B with Hiera-L, as the official tools store them. No values."""

import re
from pathlib import Path

from helpers.checkpoints.convert.key_map import SAM2
from helpers.checkpoints.convert.model_config import native_config, target_shapes
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.model.configuration_sa2va import SPECIAL_TOKENS, Sa2VAConfig
from tests.support.real_sizes import Shapes, once, sam2_shapes

VOCABULARY, BASE_VOCABULARY = 151674, 151936  # the base has rows beyond its tokenizer's 151669 ids
RANK, ALPHA = 128, 256.0
LAYERS, BLOCKS, LEVELS = 36, 24, 3
WIDTH, INNER, VISION = 2560, 9728, 1024
OFFICIAL = {
    "model_type": "qwen3_vl",
    "tie_word_embeddings": True,
    "text_config": {
        "model_type": "qwen3_vl_text", "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "hidden_act": "silu",
        "rms_norm_eps": 1e-6, "rope_theta": 5000000, "max_position_embeddings": 262144, "eos_token_id": 151645,
        "rope_scaling": {"mrope_interleaved": True, "mrope_section": [24, 20, 20], "rope_type": "default"},
        "vocab_size": BASE_VOCABULARY,
    },
    "vision_config": {
        "depth": BLOCKS, "hidden_size": VISION, "intermediate_size": 4096, "num_heads": 16, "patch_size": 16,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": WIDTH, "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [5, 11, 17], "hidden_act": "gelu_pytorch_tanh",
    },
}  # fmt: skip


def config() -> Sa2VAConfig:
    """The export's."""
    ids = {token: VOCABULARY - len(SPECIAL_TOKENS) + place for place, token in enumerate(SPECIAL_TOKENS)}
    tokenizer = TokenizerFacts(VOCABULARY, ids, SPECIAL_TOKENS, 151645, 151643, instruction="{input}")
    origin = Path("config.json")
    return native_config(OFFICIAL, origin, "hiera_l", "qwen_chat", SPECIAL_TOKENS, tokenizer, False, "bfloat16")


@once
def native_shapes() -> Shapes:
    """Every tensor of the native model."""
    return target_shapes(config())


def language_shapes(vocabulary: int) -> Shapes:
    """The language model's tensors as Qwen3-VL's own files name them, without a head."""
    shapes: Shapes = {"embed_tokens.weight": (vocabulary, WIDTH), "norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        shapes |= {
            f"layers.{layer}.self_attn.q_proj.weight": (4096, WIDTH),
            f"layers.{layer}.self_attn.k_proj.weight": (1024, WIDTH),
            f"layers.{layer}.self_attn.v_proj.weight": (1024, WIDTH),
            f"layers.{layer}.self_attn.o_proj.weight": (WIDTH, 4096),
            f"layers.{layer}.self_attn.q_norm.weight": (128,),
            f"layers.{layer}.self_attn.k_norm.weight": (128,),
            f"layers.{layer}.mlp.gate_proj.weight": (INNER, WIDTH),
            f"layers.{layer}.mlp.up_proj.weight": (INNER, WIDTH),
            f"layers.{layer}.mlp.down_proj.weight": (WIDTH, INNER),
            f"layers.{layer}.input_layernorm.weight": (WIDTH,),
            f"layers.{layer}.post_attention_layernorm.weight": (WIDTH,),
        }
    return {f"language_model.{name}": shape for name, shape in shapes.items()}


def vision_shapes() -> Shapes:
    """The vision tower's tensors and its mergers', likewise."""
    shapes: Shapes = {
        "patch_embed.proj.weight": (VISION, 3, 2, 16, 16),
        "patch_embed.proj.bias": (VISION,),
        "pos_embed.weight": (2304, VISION),
    }
    for block in range(BLOCKS):
        linears = {"attn.qkv": (3 * VISION, VISION), "attn.proj": (VISION, VISION),
                   "mlp.linear_fc1": (4096, VISION), "mlp.linear_fc2": (VISION, 4096)}  # fmt: skip
        shapes |= _linears(f"blocks.{block}", linears)
        shapes |= {f"blocks.{block}.{norm}.{kind}": (VISION,) for norm in ("norm1", "norm2") for kind in KINDS}
    for merger, width in (("merger", VISION), *((f"deepstack_merger_list.{one}", 4096) for one in range(LEVELS))):
        shapes |= _linears(merger, {"linear_fc1": (4096, 4096), "linear_fc2": (WIDTH, 4096)})
        shapes |= {f"{merger}.norm.{kind}": (width,) for kind in KINDS}
    return {f"visual.{name}": shape for name, shape in shapes.items()}


KINDS = ("weight", "bias")


def _linears(stem: str, sizes: dict[str, tuple[int, int]]) -> Shapes:
    shapes: Shapes = {}
    for name, (outputs, inputs) in sizes.items():
        shapes |= {f"{stem}.{name}.weight": (outputs, inputs), f"{stem}.{name}.bias": (outputs,)}
    return shapes


def base_shapes() -> Shapes:
    """The published base, which ties its head: no head is stored."""
    return {f"model.{name}": shape for name, shape in (vision_shapes() | language_shapes(BASE_VOCABULARY)).items()}


def export_shapes() -> Shapes:
    """Every tensor of the official export."""
    whole = vision_shapes() | language_shapes(VOCABULARY)
    shapes: Shapes = {f"model.model.{name}": shape for name, shape in whole.items()}
    shapes["model.lm_head.weight"] = (VOCABULARY, WIDTH)
    shapes |= {
        "text_hidden_fcs.0.weight": (WIDTH, WIDTH),
        "text_hidden_fcs.0.bias": (WIDTH,),
        "text_hidden_fcs.2.weight": (256, WIDTH),
        "text_hidden_fcs.2.bias": (256,),
    }
    return shapes | {SAM2 + name.replace(".gamma", ".g_weight"): shape for name, shape in sam2_shapes().items()}


def partial_shapes() -> Shapes:
    """The partial checkpoint of a LoRA run, whose LoRA wraps the whole vision-language model."""
    wrapped = "mllm.model.base_model.model."
    shapes: Shapes = {}
    for name, shape in export_shapes().items():
        inner = name.removeprefix("model.").removesuffix(".weight")
        if name.endswith(("embed_tokens.weight", "lm_head.weight")):
            shapes[f"{wrapped}{inner}.modules_to_save.default.weight"] = shape
        elif re.search(r"language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj\.weight", name):
            shapes[f"{wrapped}{inner}.lora_A.default.weight"] = (RANK, shape[1])
            shapes[f"{wrapped}{inner}.lora_B.default.weight"] = (shape[0], RANK)
        elif name.startswith((SAM2 + "sam_mask_decoder.", "text_hidden_fcs.")):
            shapes[name] = shape
    return shapes
