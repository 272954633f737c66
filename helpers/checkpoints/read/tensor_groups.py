"""To which part of the model a tensor belongs, told from its name in any of the layouts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from helpers.checkpoints.read.weight_file import TensorInfo


class TensorGroup(Enum):
    """Parts of a Sa2VA model, in the order shown."""

    VISION_TOWER = "vision tower"
    PROJECTOR = "projector"
    VISION_LORA = "vision tower LoRA"
    LORA = "language model LoRA"
    LANGUAGE_MODEL = "language model"
    EMBEDDINGS = "embeddings"
    LM_HEAD = "lm_head"
    SEG_PROJECTION = "text_hidden_fcs"
    MASK_DECODER = "sam2 mask decoder"
    IMAGE_ENCODER = "sam2 image encoder"
    PROMPT_ENCODER = "sam2 prompt encoder"
    MEMORY = "sam2 memory"
    OTHER = "other"


# The first pattern that fits decides: the official names, those of the training checkpoint (LoRA
# inside the language model), SAM2's own, and the native ones of transformers.
_PATTERNS: tuple[tuple[TensorGroup, re.Pattern[str]], ...] = tuple(
    (group, re.compile(pattern))
    for group, pattern in (
        (TensorGroup.VISION_LORA, r"(^|\.)(vision_model|vision_tower|visual)\..*\.lora_[AB]\."),
        (TensorGroup.LORA, r"\.lora_[AB]\."),
        (TensorGroup.SEG_PROJECTION, r"(^|\.)(text_hidden_fcs|seg_projection)\."),
        (TensorGroup.MASK_DECODER, r"(^|\.)(sam_)?mask_decoder\."),
        (TensorGroup.PROMPT_ENCODER, r"(^|\.)((sam_)?prompt_encoder|shared_image_embedding)\."),
        (
            TensorGroup.MEMORY,
            r"(^|\.)(memory_\w+|maskmem_\w+|no_mem\w*|no_obj\w*|obj_ptr\w*|object_pointer\w*|occlusion_\w+|mask_downsample)(\.|$)",
        ),
        (TensorGroup.IMAGE_ENCODER, r"(^|\.)(image_encoder|vision_encoder)\."),
        (TensorGroup.PROJECTOR, r"(^|\.)(mlp1|multi_modal_projector|(visual|vision_tower)\.(deepstack_)?merger\w*)\."),
        (TensorGroup.VISION_TOWER, r"(^|\.)(vision_model|vision_tower|visual)\."),
        (TensorGroup.EMBEDDINGS, r"(^|\.)(embed_tokens|tok_embeddings)\."),
        (TensorGroup.LM_HEAD, r"(^|\.)(lm_head|language_model(\.\w+)*\.output)\."),
        (TensorGroup.LANGUAGE_MODEL, r"(^|\.)language_model\.|^(model\.){1,2}(layers|norm)\."),
    )
)


@dataclass(frozen=True)
class GroupSummary:
    """Count, dtypes (name -> number of tensors), values and bytes of a group's tensors."""

    group: TensorGroup
    tensors: int
    dtypes: dict[str, int]
    parameters: int
    nbytes: int


def group_of(name: str) -> TensorGroup:
    """The part of the model that a tensor's name speaks of; OTHER when it fits none."""
    return next((group for group, pattern in _PATTERNS if pattern.search(name)), TensorGroup.OTHER)


def summarise_groups(tensors: Iterable[TensorInfo]) -> tuple[GroupSummary, ...]:
    """A summary for each group that has tensors, in the order of TensorGroup."""
    members: dict[TensorGroup, list[TensorInfo]] = {group: [] for group in TensorGroup}
    for info in tensors:
        members[group_of(info.name)].append(info)
    return tuple(_summary(group, infos) for group, infos in members.items() if infos)


def lora_ranks(tensors: Iterable[TensorInfo]) -> tuple[int, ...]:
    """The different ranks of the LoRA pairs, rising: rows of each A [rank, in]."""
    return tuple(sorted({info.shape[0] for info in tensors if ".lora_A." in info.name and len(info.shape) == 2}))


def vocabulary_size(tensors: Iterable[TensorInfo]) -> int | None:
    """Rows of the embedding matrix [vocabulary, hidden]; None where the checkpoint has none."""
    for info in tensors:
        # Beside a trained module peft keeps the original, which has the rows of before training.
        is_original = ".original_module." in info.name
        if group_of(info.name) is TensorGroup.EMBEDDINGS and len(info.shape) == 2 and not is_original:
            return info.shape[0]
    return None


def _summary(group: TensorGroup, infos: list[TensorInfo]) -> GroupSummary:
    dtypes: dict[str, int] = {}
    for info in infos:
        name = str(info.dtype).removeprefix("torch.")
        dtypes[name] = dtypes.get(name, 0) + 1
    return GroupSummary(
        group, len(infos), dtypes, sum(info.parameters for info in infos), sum(info.nbytes for info in infos)
    )
