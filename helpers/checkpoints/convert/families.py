"""The families of vision-language models that are converted: how a config names them, and what differs in files."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from helpers.model.bridge_qwen_vl import PICTURE_END, PICTURE_START, PICTURE_TOKEN
from helpers.model.configuration_sa2va import Family
from helpers.model.processing_sa2va import IMAGE_CONTEXT, IMAGE_END, IMAGE_START


@dataclass(frozen=True)
class FamilyFacts:
    """What the conversion must know of a family beside names of tensors.

    Attributes:
        family: its value in config.json.
        title: what people call it.
        picture_tokens: tokens that stand around and for a picture; the base's tokenizer must have them.
        asks_chat_template: whether the words around a user's turn come from the base's chat template, not from the
            template of the training run.
        has_projector: whether every training checkpoint holds a projector `mlp1`.
        ties_head: whether an export may share one matrix between embeddings and output head.
        rows_are_ids: whether training makes exactly one row of embeddings for each id of its tokenizer.
    """

    family: Family
    title: str
    picture_tokens: tuple[str, str, str]
    asks_chat_template: bool
    has_projector: bool
    ties_head: bool
    rows_are_ids: bool


FAMILIES: Mapping[Family, FamilyFacts] = MappingProxyType(
    {
        Family.INTERNVL: FamilyFacts(
            Family.INTERNVL, "InternVL", (IMAGE_START, IMAGE_END, IMAGE_CONTEXT), False, True, True, False
        ),
        Family.QWEN2_5_VL: FamilyFacts(
            Family.QWEN2_5_VL, "Qwen2.5-VL", (PICTURE_START, PICTURE_END, PICTURE_TOKEN), True, False, False, True
        ),
        Family.QWEN3_VL: FamilyFacts(
            Family.QWEN3_VL, "Qwen3-VL", (PICTURE_START, PICTURE_END, PICTURE_TOKEN), True, False, False, True
        ),
    }
)
# `model_type` of a base's config, or of a section in it and in official exports.
_NAMED = {
    **dict.fromkeys(("qwen2_5_vl", "qwen2_5_vl_text", "qwen2_5_vl_vision"), Family.QWEN2_5_VL),
    **dict.fromkeys(("qwen3_vl", "qwen3_vl_text", "qwen3_vl_vision"), Family.QWEN3_VL),
}


def facts_of(config: Mapping) -> FamilyFacts:
    """The family that a parsed config.json is of: a base's, an official export's, or a native one.

    Folder names say nothing, and neither do `architectures`, which official exports take over from their base. A config
    that names no other family is taken for InternVL, and refused where its fields are not those of one, see
    `require_fields`.
    """
    if "sa2va_format_version" in config:
        return FAMILIES[Family(config.get("family", Family.INTERNVL.value))]
    sections = (config, *(config.get(name) for name in ("text_config", "vision_config")))
    named = (section.get("model_type") for section in sections if isinstance(section, Mapping))
    found = next((_NAMED[one] for one in named if one in _NAMED), Family.INTERNVL)
    return FAMILIES[found]


def language_config(config: Mapping) -> Mapping:
    """The settings of the language model in a parsed config.json.

    They are the config itself where no section holds them, as in the published Qwen2.5-VL. Where one does, what stands
    beside it is left over from such a base.
    """
    sections = (config.get(name) for name in ("llm_config", "text_config"))
    return next((section for section in sections if isinstance(section, Mapping)), config)
