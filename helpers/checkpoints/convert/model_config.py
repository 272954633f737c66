"""The native configuration from an official InternVL or Sa2VA config.json."""

from collections.abc import Mapping
from pathlib import Path

import torch

from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import Sa2VAConfig
from helpers.model.modeling_sa2va import Sa2VAModel

# Official llm_config files carry every default of every generation setting; these are the fields that shape the model.
_TEXT_FIELDS = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps",
    "use_sliding_window", "sliding_window", "max_window_layers", "layer_types", "attention_dropout",
    "attention_bias", "mlp_bias", "rope_theta", "rope_scaling", "rope_parameters",
)  # fmt: skip

_REQUIRED = {
    "vision_config": ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
    "llm_config": ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
}
_LANGUAGE_MODELS = {"Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3", "LlamaForCausalLM": "llama"}


def ties_head(config: Mapping) -> bool:
    """Whether a base's output head shares its embeddings, by its config.json."""
    text = config.get("llm_config") or config.get("text_config") or {}
    return bool(text.get("tie_word_embeddings", False))


def native_config(
    official: Mapping,
    origin: Path,
    sam2: str | Mapping,
    template: str,
    special_tokens: tuple[str, ...],
    tokenizer: TokenizerFacts,
    tied: bool,
    dtype: str,
    rows: int | None = None,
) -> Sa2VAConfig:
    """The configuration of the export.

    Args:
        official: a parsed InternVL or Sa2VA config.json (`vision_config`, `llm_config`), or a native one.
        origin: the file it came from, for messages.
        sam2: preset name or sizes.
        tied: whether the output head shares the embeddings.
        dtype: name of the dtype of the weights, as in torch.
        rows: of the embeddings, at least one for each id of the tokenizer; None for just as many.
    Raises:
        RefusedInput: for a language model or a setting that the native modules do not compute.
    """
    common = {
        "sam2_config": sam2,
        "template": template,
        "special_tokens": list(special_tokens),
        "token_ids": dict(tokenizer.ids),
        "tie_word_embeddings": tied,
        "dtype": dtype,
        "architectures": ["Sa2VAModel"],
    }
    if "sa2va_format_version" in official:
        kept = ["downsample_ratio", "tile_size", "min_tiles", "max_tiles", "use_thumbnail", "answer_token_limit",
                "sam2_pixel_constants"]  # fmt: skip
        if template == official.get("template"):
            kept += ["instruction", "stop_words"]
        common |= {name: official[name] for name in kept if name in official}
        vision, text = dict(official["vision_config"]), dict(official["text_config"])
    else:
        vision, text = _vision_fields(official), _text_fields(official, origin)
        common |= {
            "downsample_ratio": official.get("downsample_ratio", 0.5),
            "ps_version": official.get("ps_version", "v1"),
            "select_layer": official.get("select_layer", -1),
        }
    text |= {
        "vocab_size": tokenizer.length if rows is None else rows,
        "eos_token_id": tokenizer.eos,
        "pad_token_id": tokenizer.pad,
    }
    try:
        config = Sa2VAConfig(vision_config=vision, text_config=text, **common)
        target_shapes(config)  # an unknown activation or rotary type shows only when the modules are made
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RefusedInput(
            f"{origin}: transformers cannot build this model ({type(error).__name__}: {error}); use the config of the "
            "InternVL folder that the run started from, unchanged"
        ) from error
    return config


def target_shapes(config: Sa2VAConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the native model, in its own order; the tied head is left out."""
    with torch.device("meta"):
        model = Sa2VAModel(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        shapes.pop("language_model.lm_head.weight", None)
    return shapes


def require_fields(official: Mapping, origin: Path) -> None:
    """Stop where a section or a size is missing, which the library would fill with its own default.

    Raises:
        RefusedInput: naming the file and what it lacks.
    """
    if "sa2va_format_version" in official:
        return
    for section, fields in _REQUIRED.items():
        found = official.get(section)
        if not isinstance(found, Mapping):
            raise RefusedInput(
                f"{origin}: expected an InternVL config with vision_config and llm_config, found "
                f"{sorted(official)[:12]}; folders converted to transformers' own layout (names ending in -hf) are "
                "not read"
            )
        missing = [name for name in fields if not isinstance(found.get(name), int)]
        if missing:
            raise RefusedInput(f"{origin}: {section} lacks {missing}; use the InternVL folder's unchanged config")
    vision = official["vision_config"]
    if vision.get("hidden_act", "gelu") != "gelu":
        raise RefusedInput(f"{origin}: vision hidden_act: expected 'gelu', got {vision['hidden_act']!r}")


def _vision_fields(official: Mapping) -> dict:
    vision = official["vision_config"]
    return {
        "hidden_size": vision["hidden_size"],
        "num_hidden_layers": vision["num_hidden_layers"],
        "num_attention_heads": vision["num_attention_heads"],
        "intermediate_size": vision["intermediate_size"],
        "attention_bias": vision.get("qkv_bias", False),
        "use_qk_norm": vision.get("qk_normalization", False),
        "norm_type": vision.get("norm_type", "layer_norm"),
        "layer_norm_eps": vision.get("layer_norm_eps", 1e-6),
        "initializer_range": vision.get("initializer_range", 0.02),
        "image_size": [vision.get("image_size", 448)] * 2,
        "patch_size": [vision.get("patch_size", 14)] * 2,
        "use_mean_pooling": True,  # the only setting without a final LayerNorm, which InternViT lacks
    }


def _text_fields(official: Mapping, origin: Path) -> dict:
    text = official["llm_config"]
    architecture = (text.get("architectures") or ["?"])[0]
    model_type = _LANGUAGE_MODELS.get(architecture)
    if model_type is None:
        raise RefusedInput(
            f"{origin}: language model {architecture}: expected one of {sorted(_LANGUAGE_MODELS)}. InternLM2 and Phi3 "
            "models run on code of their own and cannot be exported to plain transformers"
        )
    return {"model_type": model_type, **{name: text[name] for name in _TEXT_FIELDS if name in text}}
