"""Which model a checkpoint is: its family, or a relative of Sa2VA that the kit does not convert; and what tells it.

Some relatives would pass every check of names and shapes: the mask decoder of SAM3 has the tensors of SAM 2.0's.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from helpers.core.errors import RefusedInput

SAM2 = "grounding_encoder.sam2_model."
_TRUNK = f"{SAM2}image_encoder.trunk."
# What SAM 2 consists of, within the grounding encoder.
_SAM2_PARTS = (
    "image_encoder.", "sam_prompt_encoder.", "sam_mask_decoder.", "memory_attention.", "memory_encoder.", "obj_ptr_",
    "mask_downsample.", "maskmem_tpos_enc", "no_mem_", "no_obj_",
)  # fmt: skip
_QWEN = re.compile(r"qwen.*(vl|omni)")
_CODE_NAMES = ("model_type", "architectures", "auto_map")
_SECTIONS = ("llm_config", "text_config", "vision_config")


class ForeignKind(Enum):
    """A kind of model that is not converted; the value says what it is, and how it differs."""

    SAM3 = "Sa2VA with SAM3, which works at 1008 pixels and empties masks by its object score; here is SAM 2.0 alone"
    OTHER_GROUNDING = "Sa2VA on a grounding encoder other than SAM 2.0; SAM3, for one, empties masks by object scores"
    LLAVA = "Sa2VA on LLaVA, whose vision tower and prompt are others"
    SAMTOK = "SAMTok, which writes a mask in two tokens and has no state at [SEG]"
    QWEN_VL = "a Qwen vision-language model other than Qwen2.5-VL and Qwen3-VL, whose towers or experts are its own"
    PHI3 = "Sa2VA on Phi-3, whose language model runs on code of its own"


@dataclass(frozen=True)
class ForeignModel:
    """What a model is, and the name that tells it."""

    kind: ForeignKind
    sign: str


def foreign_model(
    names: Iterable[str], config: Mapping[str, object] | None, training: Mapping[str, object] | None
) -> ForeignModel | None:
    """The kind of a model that is not converted; None for all others.

    Args:
        names: of the tensors, as stored.
        config: config.json of a folder, parsed.
        training: values of the training config; only what it says of its model counts, never a name of a path.
    """
    said = [*_of_config(config or {}), *_of_training(training or {})]
    for kind, word in ((ForeignKind.SAM3, "sam3"), (ForeignKind.SAMTOK, "samtok"), (ForeignKind.PHI3, "phi3for")):
        sign = next((one for one in said if word in one.lower()), None)
        if sign is not None:
            return ForeignModel(kind, sign)
    # The project that trained InternVL was called llava_sam2, and its classes after it: only the model's own counts.
    sign = next((one for one in said if "llava" in one.rpartition(".")[2].lower() and "sam" not in one.lower()), None)
    if sign is None and _section(config or {}, "vision_config").get("model_type") == "clip_vision_model":
        sign = "vision_config.model_type clip_vision_model"
    if sign is not None:
        return ForeignModel(ForeignKind.LLAVA, sign)
    relative = _other_qwen(config or {})
    if relative is not None:
        return ForeignModel(ForeignKind.QWEN_VL, f"model_type {relative}")
    other = _other_grounding(list(names))
    return None if other is None else ForeignModel(ForeignKind.OTHER_GROUNDING, other)


def _other_qwen(config: Mapping[str, object]) -> str | None:
    """`model_type` of a Qwen model with a vision tower, at a config's top or in a section, that is not converted."""
    named = [part.get("model_type") for part in (config, *(_section(config, name) for name in _SECTIONS))]
    return next((one for one in named if isinstance(one, str) and _QWEN.match(one) and one not in _MODEL_TYPES), None)


def require_known(file: str, found: ForeignModel | None) -> None:
    """Stop at a model that is not converted. Raises RefusedInput, naming what it is and what tells it."""
    if found is not None:
        raise RefusedInput(
            f"{file} is a model that this kit does not convert: {found.kind.value} (told by {found.sign!r}). Run it "
            "with the code that trained it"
        )


def _other_grounding(names: list[str]) -> str | None:
    """A tensor of a grounding encoder that has a mask decoder and another trunk than SAM 2's."""
    if any(name.startswith(_TRUNK) for name in names):
        return None
    strange = (name for name in names if name.startswith(SAM2))
    return next((name for name in strange if not name.removeprefix(SAM2).startswith(_SAM2_PARTS)), None)


def _of_config(config: Mapping[str, object]) -> Iterator[str]:
    """Names of classes and code files in a config.json, its sections included."""
    for part in (config, *(_section(config, name) for name in _SECTIONS)):
        for name in _CODE_NAMES:
            yield from _texts(part.get(name))


def _of_training(values: Mapping[str, object]) -> Iterator[str]:
    """Names of classes in a training config's model, and SAM2's config and file."""
    model = _section(values, "model")
    yield from _texts(model.get("type"))
    yield from _texts(_section(model, "mllm").get("type"))
    grounding = _section(model, "grounding_encoder")
    for name in ("type", "cfg_path", "ckpt_path"):
        yield from _texts(grounding.get(name))


def _section(values: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


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
    known = _family_of_config(config or {}) or _family_of_modules(names)
    if known is None and isinstance(training_class, str):
        lower = training_class.lower()
        known = next((family for part, family in _TRAINING_CLASSES.items() if part in lower), None)
    if known is not None:
        return known
    if any(part in name for name in names for part in _QWEN_PARTS):
        return QWEN_VL
    return INTERNVL if any(part in name for name in names for part in _INTERNVL_PARTS) else None


def _family_of_config(config: Mapping[str, object]) -> str | None:
    sections = (config, config.get("text_config"), config.get("vision_config"))
    named = [section.get("model_type") for section in sections if isinstance(section, Mapping)]
    return next((_MODEL_TYPES[one] for one in named if isinstance(one, str) and one in _MODEL_TYPES), None)


def _family_of_modules(names: list[str]) -> str | None:
    return next((family for part, family in _MODULES.items() if any(part in name for name in names)), None)
