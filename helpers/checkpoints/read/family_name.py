"""Which family of vision-language models a checkpoint belongs to, told from its names, its config or its training's."""

from collections.abc import Iterable, Mapping

INTERNVL, QWEN_VL, QWEN3_VL, QWEN25_VL = "InternVL", "Qwen-VL", "Qwen3-VL", "Qwen2.5-VL"

# A config's `model_type`, at its top or in a section.
_MODEL_TYPES = {
    **dict.fromkeys(("qwen2_5_vl", "qwen2_5_vl_text", "qwen2_5_vl_vision"), QWEN25_VL),
    **dict.fromkeys(("qwen3_vl", "qwen3_vl_text", "qwen3_vl_vision"), QWEN3_VL),
}
# A part of the class that holds the model in a training config, in lower case.
_TRAINING_CLASSES = {"qwen3vl": QWEN3_VL, "qwen2_5_vl": QWEN25_VL, "qwen25vl": QWEN25_VL, "qwen2_5vl": QWEN25_VL}
# Modules that only one generation has.
_MODULES = {"visual.deepstack_merger_list.": QWEN3_VL, "visual.pos_embed.": QWEN3_VL, "visual.merger.ln_q.": QWEN25_VL}
_QWEN_PARTS = ("visual.", "mllm.model.base_model.model.model.language_model.")
_INTERNVL_PARTS = ("vision_model.", "mlp1.", "mllm.model.language_model.")


def family_name(names: Iterable[str], config: Mapping[str, object] | None, training_class: object = None) -> str | None:
    """What people call the family; None where nothing tells it, as of SAM2 alone.

    Args:
        names: of the tensors, as stored.
        config: config.json of a folder, parsed.
        training_class: `type` of `mllm` in the training config.
    Returns:
        `Qwen-VL` where it is one of these and nothing tells its generation.
    """
    names = list(names)
    if config is not None and "sa2va_format_version" in config:
        return {"qwen3_vl": QWEN3_VL, "qwen2_5_vl": QWEN25_VL}.get(str(config.get("family")), INTERNVL)
    known = _of_config(config or {}) or _of_modules(names)
    if known is None and isinstance(training_class, str):
        lower = training_class.lower()
        known = next((family for part, family in _TRAINING_CLASSES.items() if part in lower), None)
    if known is not None:
        return known
    if any(part in name for name in names for part in _QWEN_PARTS):
        return QWEN_VL
    return INTERNVL if any(part in name for name in names for part in _INTERNVL_PARTS) else None


def _of_config(config: Mapping[str, object]) -> str | None:
    sections = (config, config.get("text_config"), config.get("vision_config"))
    named = [section.get("model_type") for section in sections if isinstance(section, Mapping)]
    return next((_MODEL_TYPES[one] for one in named if isinstance(one, str) and one in _MODEL_TYPES), None)


def _of_modules(names: list[str]) -> str | None:
    return next((family for part, family in _MODULES.items() if any(part in name for name in names)), None)
