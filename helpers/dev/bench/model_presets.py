"""Sizes of the published models, the configuration that they stand for, and the operations of one image."""

from dataclasses import dataclass, replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from helpers.core.vocabulary import Preset
from helpers.dev.demo.untrained_base import DEMO, FIXTURE
from helpers.model.configuration_sa2va import SPECIAL_TOKENS, Sa2VAConfig
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.model.processing_sa2va import IMAGE_CONTEXT, IMAGE_END, IMAGE_START
from helpers.model.sam2_sizes import PRESETS, Sam2Sizes
from helpers.prediction.engine.cuda_graphs import stages


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
    return _config(_VISION, _LANGUAGE[preset], PRESETS["hiera_l"], _VOCABULARY)


def special_tokens() -> tuple[str, ...]:
    """The tokens that a model's forward path looks for, in the order of their ids."""
    return (*SPECIAL_TOKENS, IMAGE_START, IMAGE_END, IMAGE_CONTEXT)


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


def count_operations(preset: Preset, tiles: int, prompt: int, read: int) -> dict[str, int]:
    """Operations (two for a multiplication and an addition) of each stage, for one image, one prompt and one mask.

    Args:
        tiles: that the vision tower sees.
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
    head = width // config.text_config.num_attention_heads
    model.language_model.model.rotary_emb.forward = lambda states, position_ids: (
        empty(1, states.shape[1], head),
        empty(1, states.shape[1], head),
    )
    vision, sam2, decoder, language = stages(model)
    counts = {}
    with torch.inference_mode():
        features = sam2(empty(1, 3, side, side))
        for name, stage, arguments in (
            ("vision tower", vision, (empty(tiles, 3, config.tile_size, config.tile_size),)),
            ("language model", language, (empty(1, prompt, width), empty(1, read, dtype=torch.long))),
            ("SAM2 encoder", sam2, (empty(1, 3, side, side),)),
            ("mask decoder", decoder, (*features, empty(1, width), empty(1, dtype=torch.long))),
        ):
            with FlopCounterMode(display=False) as counter:
                stage(*arguments)
            counts[name] = counter.get_total_flops()
    return counts
