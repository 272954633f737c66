"""Sizes of the published models, the configuration that they stand for, and the operations of one image."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from helpers.checkpoints.convert.families import FAMILIES
from helpers.core.vocabulary import Preset
from helpers.dev.demo.untrained_base import DEMO, FIXTURE
from helpers.model.configuration_sa2va import SPECIAL_TOKENS, Family, Sa2VAConfig
from helpers.model.graphed_model import stages
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.model.sam2_sizes import PRESETS, Sam2Sizes


@dataclass(frozen=True)
class _Tower:
    """Width, inner width, layers, heads, and heads of keys and values."""

    width: int
    inner: int
    layers: int
    heads: int
    key_heads: int


_VOCABULARY, _VOCABULARY_OF_INTERNLM2 = 151680, 92558
_VISION = _Tower(1024, 4096, 24, 16, 16)
# Qwen2.5 of 0.5, 1.5, 3 and 7 billion.
_LANGUAGE = {
    Preset.B1: _Tower(896, 4864, 24, 14, 2),
    Preset.B2: _Tower(1536, 8960, 28, 12, 2),
    Preset.B4: _Tower(2048, 11008, 36, 16, 2),
    Preset.B8: _Tower(3584, 18944, 28, 28, 4),
}
_INTERNLM2 = _Tower(4096, 14336, 32, 32, 8)  # InternLM2.5 of 7 billion, as the Llama that it is converted to
_QWEN2_5_VL_3B = {
    "text_config": {
        "model_type": "qwen2_5_vl_text", "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
        "num_attention_heads": 16, "num_key_value_heads": 2, "max_position_embeddings": 128000, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0, "vocab_size": _VOCABULARY,
        "rope_scaling": {"rope_type": "default", "mrope_section": [16, 24, 24]},
    },
    "vision_config": {
        "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "patch_size": 14,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 2048, "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
    },
}  # fmt: skip
_QWEN3_VL_4B = {
    "text_config": {
        "model_type": "qwen3_vl_text", "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 262144,
        "rms_norm_eps": 1e-6, "rope_theta": 5000000.0, "vocab_size": _VOCABULARY,
        "rope_scaling": {"rope_type": "default", "mrope_interleaved": True, "mrope_section": [24, 20, 20]},
    },
    "vision_config": {
        "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16, "patch_size": 16,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 2560, "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [5, 11, 17],
    },
}  # fmt: skip
_QWEN = {
    Preset.QWEN2_5_VL_3B: (Family.QWEN2_5_VL, _QWEN2_5_VL_3B),
    Preset.QWEN3_VL_4B: (Family.QWEN3_VL, _QWEN3_VL_4B),
}
# Tests take the fixture's sizes with a smaller input of SAM2.
_SMALL = {Preset.DEMO: DEMO, Preset.TINY: replace(FIXTURE, sam2=replace(FIXTURE.sam2, image_size=256))}


def preset_config(preset: Preset) -> Sa2VAConfig:
    """The configuration of a preset; token ids are those of a new `WordTokenizer`."""
    if preset in _SMALL:
        sizes = _SMALL[preset]
        vision = _Tower(sizes.vision, 2 * sizes.vision, sizes.vision_layers, 4, 4)
        language = _Tower(sizes.language, 2 * sizes.language, sizes.language_layers, 4, 2)
        return _config(vision, language, sizes.sam2, 1024)
    if preset is Preset.INTERNLM2_8B:
        return _config(_VISION, _INTERNLM2, PRESETS["hiera_l"], _VOCABULARY_OF_INTERNLM2, "llama")
    if preset in _QWEN:
        family, sizes_of_qwen = _QWEN[preset]
        tokens = special_tokens(family)
        text = sizes_of_qwen["text_config"] | {"eos_token_id": len(tokens)}  # the tokenizer's first word
        return Sa2VAConfig(
            family=family,
            vision_config=sizes_of_qwen["vision_config"],
            text_config=text,
            sam2_config=PRESETS["hiera_l"].to_dict(),
            token_ids={token: index for index, token in enumerate(tokens)},
        )
    return _config(_VISION, _LANGUAGE[preset], PRESETS["hiera_l"], _VOCABULARY)


def special_tokens(family: Family = Family.INTERNVL) -> tuple[str, ...]:
    """The tokens that a model's forward path looks for, in the order of their ids."""
    return (*SPECIAL_TOKENS, *FAMILIES[family].picture_tokens)


def _config(
    vision: _Tower, language: _Tower, sam2: Sam2Sizes, vocabulary: int, model_type: str = "qwen2"
) -> Sa2VAConfig:
    return Sa2VAConfig(
        vision_config={
            "hidden_size": vision.width,
            "intermediate_size": vision.inner,
            "num_hidden_layers": vision.layers,
            "num_attention_heads": vision.heads,
            "attention_bias": True,
            "use_qk_norm": False,
            "norm_type": "layer_norm",
            "image_size": [448, 448],
            "patch_size": [14, 14],
        },
        text_config={
            "model_type": model_type,
            "hidden_size": language.width,
            "intermediate_size": language.inner,
            "num_hidden_layers": language.layers,
            "num_attention_heads": language.heads,
            "num_key_value_heads": language.key_heads,
            "max_position_embeddings": 32768,
            "rope_theta": 1000000.0,
            "rope_scaling": {"rope_type": "dynamic", "factor": 2.0},
            "vocab_size": vocabulary,
        },
        sam2_config=sam2.to_dict(),
        token_ids={token: index for index, token in enumerate(special_tokens())},
    )


def count_operations(preset: Preset, pixels: tuple[int, ...], prompt: int, read: int) -> dict[str, int]:
    """Operations (two for a multiplication and an addition) of each stage, for one image, one prompt and one mask.

    Args:
        pixels: shape (n, 3, h, w) of what the vision tower sees.
        prompt: tokens of the prompt.
        read: tokens of the answer that the pass over the prompt reads.
    """
    with torch.device("meta"):
        model = Sa2VAModel._from_config(preset_config(preset), dtype=torch.bfloat16).eval()
    config, width = model.config, model.config.hidden_size
    side = config.sam2_sizes.image_size

    def empty(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    # Some versions of transformers cannot make rotary embeddings without values; they are no matter here.
    text = config.text_config
    head = getattr(text, "head_dim", None) or width // text.num_attention_heads
    model.language_model.model.rotary_emb.forward = lambda states, position_ids: (
        empty(1, states.shape[1], head),
        empty(1, states.shape[1], head),
    )
    tiles, pictures, sam2, decoder, language = stages(model)
    counts = {}
    with torch.inference_mode():
        features = sam2(empty(1, 3, side, side))
        if config.family == Family.INTERNVL.value:
            counts["vision tower"] = _counted(tiles, empty(*pixels))
        else:
            counts["vision tower"] = _counted(pictures, empty(*pixels, dtype=torch.uint8))
        counts["language model"] = _counted(language, empty(1, prompt, width), empty(1, read, dtype=torch.long))
        counts["SAM2 encoder"] = _counted(sam2, empty(1, 3, side, side))
        counts["mask decoder"] = _counted(decoder, *features, empty(1, width), empty(1, dtype=torch.long))
    return counts


def _counted(stage: Callable[..., Any], *arguments: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        stage(*arguments)
    return counter.get_total_flops()
