"""The untrained base of the demo: its sizes, and random weights that carry signals."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from helpers.checkpoints.convert.model_config import native_config
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.model.components import SegProjection
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.model.sam2_sizes import Sam2Sizes

TEMPLATE = "qwen_chat"


@dataclass(frozen=True)
class TinySizes:
    """Widths (channels) and numbers of layers of a tiny Sa2VA.

    Attributes:
        language, vision: width of each; their inner layers are twice as wide.
        language_layers, vision_layers: how many.
        sam2: all of SAM2's.
    """

    language: int
    language_layers: int
    vision: int
    vision_layers: int
    sam2: Sam2Sizes


# What tests run on; too small to see much.
FIXTURE = TinySizes(
    language=64,
    language_layers=2,
    vision=64,
    vision_layers=2,
    sam2=Sam2Sizes(
        embed_dim=16,
        num_heads=1,
        stages=(1, 2, 3, 1),
        global_att_blocks=(4, 5),
        d_model=32,
        mem_dim=16,
        mem_ffn=64,
        mem_layers=2,
        dec_mlp=64,
        iou_hidden=32,
        image_size=512,
        window_spec=(8, 4, 16, 8),
        decoder_num_heads=4,
    ),
)
# The demo model's: most of it in SAM2's encoder, which finds the vessels.
DEMO = TinySizes(
    language=128,
    language_layers=2,
    vision=128,
    vision_layers=3,
    sam2=Sam2Sizes(
        embed_dim=48,
        num_heads=1,
        stages=(2, 3, 5, 1),
        global_att_blocks=(9,),
        d_model=192,
        mem_dim=32,
        mem_ffn=128,
        mem_layers=2,
        dec_mlp=256,
        iou_hidden=64,
        window_spec=(16, 8, 16, 8),  # wider than the official ones, so that a window is wider than the widest vessels
        decoder_num_heads=6,
    ),
)
_FOURIER = (
    "sam2.shared_image_embedding.positional_embedding",
    "sam2.prompt_encoder.shared_embedding.positional_embedding",
)
# Small embeddings, so that the state at `[SEG]` depends on the words around it; a prompt that SAM2 heeds soon.
_GAINS = {"language_model.model.embed_tokens.weight": 0.2, "seg_projection.linear_2.weight": 4.0}
_ENCODER, _BRANCH_ENDS = "sam2.vision_encoder.backbone.", ("attn.proj.weight", "mlp.proj_out.weight")
_SPREAD = 0.05  # of what has no fan-in: biases, norms around one, stand-alone embeddings


def official_config(sizes: TinySizes, vocabulary: int, turn_end: int, end_of_text: int) -> dict:
    """config.json of the InternVL base, in the fields of the official InternVL3.

    Args:
        sizes: of the model.
        vocabulary: number of ids of the base's tokenizer.
        turn_end, end_of_text: ids.
    """
    return {
        "architectures": ["InternVLChatModel"],
        "downsample_ratio": 0.5,
        "dynamic_image_size": True,
        "force_image_size": 448,
        "hidden_size": sizes.vision,
        "llm_config": {
            "architectures": ["Qwen2ForCausalLM"],
            "attention_dropout": 0.0,
            "bos_token_id": end_of_text,
            "eos_token_id": turn_end,
            "hidden_act": "silu",
            "hidden_size": sizes.language,
            "initializer_range": 0.02,
            "intermediate_size": 2 * sizes.language,
            "max_position_embeddings": 32768,
            "max_window_layers": sizes.language_layers,
            "model_type": "qwen2",
            "num_attention_heads": 4,
            "num_hidden_layers": sizes.language_layers,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-06,
            "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"},
            "rope_theta": 1000000.0,
            "sliding_window": None,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
            "use_cache": False,
            "use_sliding_window": False,
            "vocab_size": vocabulary,
        },
        "max_dynamic_patch": 12,
        "min_dynamic_patch": 1,
        "model_type": "internvl_chat",
        "pad2square": False,
        "ps_version": "v2",
        "select_layer": -1,
        "template": "internvl2_5",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_backbone_lora": 0,
        "use_llm_lora": 0,
        "use_thumbnail": True,
        "vision_config": {
            "architectures": ["InternVisionModel"],
            "attention_dropout": 0.0,
            "drop_path_rate": 0.0,
            "dropout": 0.0,
            "hidden_act": "gelu",
            "hidden_size": sizes.vision,
            "image_size": 448,
            "initializer_factor": 0.1,
            "initializer_range": 0.02,
            "intermediate_size": 2 * sizes.vision,
            "layer_norm_eps": 1e-06,
            "model_type": "intern_vit_6b",
            "norm_type": "layer_norm",
            "num_attention_heads": 4,
            "num_channels": 3,
            "num_hidden_layers": sizes.vision_layers,
            "patch_size": 14,
            "qk_normalization": False,
            "qkv_bias": True,
            "torch_dtype": "bfloat16",
            "use_flash_attn": False,
        },
    }


def build_base(
    config: dict, sam2: Sam2Sizes, tokenizer: TokenizerFacts, seed: int, branch_gain: float = 1.0
) -> Sa2VAModel:
    """The model before training, float32, in evaluation mode; every value is exact in bfloat16.

    Args:
        config: from `official_config`; the embeddings get one row for each id of `tokenizer`.
        sam2: sizes of SAM2.
        tokenizer: with Sa2VA's tokens added.
        branch_gain: of the last weights of each branch in SAM2's encoder. A small one makes a deep encoder begin close
            to its patches, from where training is steady.
    """
    native = native_config(
        config, Path("config.json"), sam2.to_dict(), TEMPLATE, SPECIAL_TOKENS, tokenizer, False, "float32"
    )
    model = Sa2VAModel(native).eval()
    random = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        gain = branch_gain if name.startswith(_ENCODER) and name.endswith(_BRANCH_ENDS) else 1.0
        tensor.copy_((gain * _random_values(name, tensor, random)).bfloat16())
    model.state_dict()[_FOURIER[1]].copy_(model.state_dict()[_FOURIER[0]])
    _mirror_projection(model.seg_projection)
    return model


def _random_values(name: str, tensor: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Values of the tensor's shape: unit gain for weights, near one for norms, small and never zero elsewhere."""
    noise = torch.randn(tensor.shape, generator=random)
    if name in _FOURIER:
        return noise
    if name.endswith(".weight") and tensor.ndim > 1:
        is_embedding = any(part in name for part in ("embed", "token"))
        fan_in = 1 if is_embedding and tensor.ndim == 2 else math.prod(tensor.shape[1:])
        return _GAINS.get(name, 1.0) * noise / math.sqrt(fan_in)
    if name.endswith(".weight"):
        return 1 + _SPREAD * noise
    if name.endswith((".lambda_1", ".lambda_2", ".scale")):
        return 0.1 + _SPREAD * noise
    return _SPREAD * noise


def _mirror_projection(projection: SegProjection) -> None:
    """Make the projection linear at first, by halves of opposite sign: then different states stay different."""
    half = projection.linear_1.out_features // 2
    projection.linear_1.weight.data[half:] = -projection.linear_1.weight.data[:half]
    projection.linear_2.weight.data[:, half:] = -projection.linear_2.weight.data[:, :half]
    projection.linear_1.bias.data.zero_()
