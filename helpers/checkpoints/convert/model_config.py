"""The native configuration from the config.json of a base, an official Sa2VA, or an export of this kit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from helpers.checkpoints.convert.families import facts_of, language_config
from helpers.checkpoints.convert.key_map import AttentionHeads
from helpers.checkpoints.convert.rotary_settings import names_theta, require_dynamic, require_rotary, require_shares
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import LANGUAGE_MODELS, Family, Sa2VAConfig
from helpers.model.modeling_sa2va import Sa2VAModel

# Official llm_config files carry every default of every generation setting; these are the fields that shape the model.
_TEXT_FIELDS = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim", "hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps", "use_sliding_window",
    "sliding_window", "max_window_layers", "layer_types", "attention_dropout", "attention_bias", "mlp_bias",
    "rope_theta", "rope_scaling", "rope_parameters",
)  # fmt: skip

_QWEN_VISION_FIELDS = (
    "depth", "hidden_size", "hidden_act", "intermediate_size", "num_heads", "in_channels", "patch_size",
    "spatial_merge_size", "temporal_patch_size", "out_hidden_size", "num_position_embeddings",
    "deepstack_visual_indexes", "window_size", "fullatt_block_indexes", "initializer_range",
)  # fmt: skip

_QWEN_VISION_SIZES = (
    "depth", "hidden_size", "intermediate_size", "num_heads", "patch_size", "spatial_merge_size",
    "temporal_patch_size", "out_hidden_size",
)  # fmt: skip
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
_REQUIRED: Mapping[Family, Mapping[str, tuple[str, ...]]] = {
    Family.INTERNVL: {"vision_config": _SIZES, "llm_config": _SIZES},
    Family.QWEN2_5_VL: {
        "vision_config": (*_QWEN_VISION_SIZES, "window_size", "fullatt_block_indexes"),
        "text_config": (*_SIZES, "num_key_value_heads", "rms_norm_eps", "eos_token_id"),
    },
    Family.QWEN3_VL: {
        "vision_config": (*_QWEN_VISION_SIZES, "num_position_embeddings", "deepstack_visual_indexes"),
        "text_config": (*_SIZES, "num_key_value_heads", "head_dim", "rms_norm_eps", "eos_token_id"),
    },
}
_LISTS = ("fullatt_block_indexes", "deepstack_visual_indexes")
_LANGUAGE_MODELS = {
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "LlamaForCausalLM": "llama",
    "InternLM2ForCausalLM": "llama",
}
# Settings of InternLM2 whose defaults are not Llama's.
_INTERNLM2_REQUIRED = ("num_key_value_heads", "max_position_embeddings", "rms_norm_eps")


def ties_head(config: Mapping) -> bool:
    """Whether a base's output head shares its embeddings, by its config.json."""
    return bool(language_config(config).get("tie_word_embeddings", False) or config.get("tie_word_embeddings", False))


def native_model(
    official: Mapping,
    origin: Path,
    sam2: str | Mapping,
    template: str,
    special_tokens: tuple[str, ...],
    tokenizer: TokenizerFacts,
    tied: bool,
    dtype: str,
    rows: int | None = None,
) -> tuple[Sa2VAConfig, dict[str, tuple[int, ...]]]:
    """The configuration of the export, and the tensors of its model, see `target_shapes`.

    Args:
        official: a parsed config.json of a base, of an official Sa2VA, or a native one.
        origin: the file it came from, for messages.
        sam2: preset name or sizes.
        tied: whether the output head shares the embeddings.
        dtype: name of the dtype of the weights, as in torch.
        rows: of the embeddings, at least one for each id of the tokenizer; None for just as many.
    Raises:
        RefusedInput: for a language model or a setting that the native modules do not compute.
    """
    facts = facts_of(official)
    common: dict[str, Any] = {
        "family": facts.family.value,
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
                "sam2_pixel_constants", "sentencepiece_ids", "least_pixels", "most_pixels", "pixel_mean",
                "pixel_std"]  # fmt: skip
        if template == official.get("template"):
            kept += ["instruction", "stop_words"]
        common |= {name: official[name] for name in kept if name in official}
        vision, text = dict(official["vision_config"]), dict(official["text_config"])
    elif facts.family is not Family.INTERNVL:
        stored = official["vision_config"]
        vision = {name: stored[name] for name in _QWEN_VISION_FIELDS if name in stored}
        language = language_config(official)
        text = {
            "model_type": LANGUAGE_MODELS[facts.family][0],
            "bos_token_id": language.get("bos_token_id"),
            **_shaping(language),
        }
    else:
        vision, text = _vision_fields(official), _text_fields(official, origin)
        common |= {
            "downsample_ratio": official.get("downsample_ratio", 0.5),
            "ps_version": official.get("ps_version", "v1"),
            "select_layer": official.get("select_layer", -1),
        }
    if tokenizer.pieces is not None:
        common["sentencepiece_ids"] = tokenizer.pieces
    if tokenizer.instruction is not None:
        common |= {"instruction": tokenizer.instruction, "stop_words": []}
        eos = language_config(official)["eos_token_id"]
    else:
        eos = tokenizer.eos
    text |= {
        "vocab_size": tokenizer.length if rows is None else rows,
        "eos_token_id": eos,
        "pad_token_id": tokenizer.pad,
    }
    try:
        config = Sa2VAConfig(vision_config=vision, text_config=text, **common)
        # An unknown activation or rotary type shows only when the modules are made.
        return config, target_shapes(config)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RefusedInput(
            f"{origin}: transformers cannot build this model ({type(error).__name__}: {error}); use the config of the "
            f"{facts.title} folder that the run started from, unchanged"
        ) from error


def native_config(*given: Any, **options: Any) -> Sa2VAConfig:
    """The configuration alone, see `native_model`."""
    return native_model(*given, **options)[0]


def target_shapes(config: Sa2VAConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the native model, in its own order; the tied head is left out."""
    with torch.device("meta"):
        model = Sa2VAModel(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        shapes.pop("language_model.lm_head.weight", None)
    return shapes


def attention_heads(config: Sa2VAConfig) -> AttentionHeads:
    """Heads of the language model's attention."""
    text = config.text_config
    return AttentionHeads(text.num_attention_heads, text.num_key_value_heads)


def require_fields(official: Mapping, origin: Path) -> None:
    """Stop where a section or a size is missing, which the library would fill with its own default.

    Raises:
        RefusedInput: naming the file and what it lacks.
    """
    if "sa2va_format_version" in official:
        return
    facts = facts_of(official)
    for section, fields in _REQUIRED[facts.family].items():
        found = language_config(official) if section == "text_config" else official.get(section)
        if not isinstance(found, Mapping):
            raise RefusedInput(
                f"{origin}: expected a config of {facts.title} with {' and '.join(_REQUIRED[facts.family])}, found "
                f"{sorted(official)[:12]}; folders converted to transformers' own layout (names ending in -hf) are "
                "not read"
            )
        missing = [name for name in fields if not isinstance(found.get(name), list if name in _LISTS else int | float)]
        if missing:
            where = "it" if found is official else section
            raise RefusedInput(f"{origin}: {where} lacks {missing}; use the {facts.title} folder's unchanged config")
    require_rotary(language_config(official), origin)
    if facts.family is not Family.INTERNVL:
        require_shares(language_config(official), origin)
        return
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
            f"{origin}: language model {architecture}: expected one of {sorted(_LANGUAGE_MODELS)}. Phi3 models run on "
            "code of their own and cannot be exported to plain transformers"
        )
    if architecture == "InternLM2ForCausalLM":
        _require_llama(text, origin)
    return {"model_type": model_type, **_shaping(text)}


def _shaping(text: Mapping) -> dict:
    return {name: text[name] for name in _TEXT_FIELDS if name in text}


def _require_llama(text: Mapping, origin: Path) -> None:
    """Stop where a setting of InternLM2 is missing, or is not known to compute what Llama computes."""
    missing = [name for name in _INTERNLM2_REQUIRED if text.get(name) is None]
    missing += [] if names_theta(text) else ["rope_theta"]
    if missing:
        raise RefusedInput(f"{origin}: llm_config lacks {missing}; use the InternVL folder's unchanged config")
    if text.get("bias", False):
        raise RefusedInput(f"{origin}: llm_config: expected InternLM2 without biases, got bias {text['bias']!r}")
    require_dynamic(text, origin)
