"""The tensors of a training checkpoint under the names that mmengine, xtuner and peft save them by, and back."""

from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum

import torch

from helpers.checkpoints.convert.key_map import LoraName, canonical_name, inverse, places, restore_map
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.train.fine_tuning.starting_model import LoraLinear

_LANGUAGE = "mllm.model.language_model.base_model.model."
_IN_MLLM = ("vision_model.", "language_model.", "mlp1.")
_EMBEDDINGS, _HEAD = "language_model.model.embed_tokens.weight", "language_model.lm_head.weight"
_TRAINED_PARTS = ("multi_modal_projector.", "sam2.mask_decoder.", "seg_projection.", _EMBEDDINGS, _HEAD)


class TrainedPart(StrEnum):
    """Which weights a run changes, and its checkpoints hold."""

    LORA = "lora"  # as in the official fine-tuning: adapters, embeddings, output head, projections, mask decoder
    ALL = "all"


def trained_tensors(
    model: Sa2VAModel, adapters: Mapping[str, LoraLinear], trained: TrainedPart = TrainedPart.LORA
) -> OrderedDict[str, torch.Tensor]:
    """What a checkpoint holds, by its stored name; the tensors are the model's own.

    Args:
        adapters: by the name of their layer in the language model; none with `TrainedPart.ALL`.
    """
    tensors = OrderedDict()
    for name, adapter in adapters.items():
        tensors[f"{_LANGUAGE}{name}.lora_A.default.weight"] = adapter.down.detach()
        tensors[f"{_LANGUAGE}{name}.lora_B.default.weight"] = adapter.up.detach()
    state = model.state_dict()
    native = {
        name: value for name, value in state.items() if trained is TrainedPart.ALL or name.startswith(_TRAINED_PARTS)
    }
    for name, pieces in restore_map(inverse(native)).items():
        parts = [native[piece.target].chunk(piece.parts)[piece.part] for piece in pieces]
        tensors[_stored_name(name, trained)] = torch.cat(parts) if len(parts) > 1 else parts[0]
    return tensors


@torch.no_grad()
def load_trained(
    model: Sa2VAModel,
    adapters: Mapping[str, LoraLinear],
    stored: Mapping[str, torch.Tensor],
    trained: TrainedPart = TrainedPart.LORA,
) -> None:
    """Put a checkpoint's tensors back, every one of them.

    Raises:
        RefusedInput: where names or shapes differ from what this run trains.
    """
    wanted = trained_tensors(model, adapters, trained)
    missing, strays = sorted(set(wanted) - set(stored)), sorted(set(stored) - set(wanted))
    if missing or strays:
        raise RefusedInput(
            f"the checkpoint is of another run: it lacks {counted(len(missing), 'tensor')} (first "
            f"{(missing or ['-'])[0]}) and holds {counted(len(strays), 'tensor')} that this run does not train (first "
            f"{(strays or ['-'])[0]})"
        )
    wrong = [name for name in wanted if stored[name].shape != wanted[name].shape]
    if wrong:
        raise RefusedInput(
            f"the checkpoint is of another run: {wrong[0]} has shape {list(stored[wrong[0]].shape)}, expected "
            f"{list(wanted[wrong[0]].shape)}"
        )
    state = model.state_dict()
    for name, tensor in stored.items():
        found = canonical_name(name)
        if isinstance(found, LoraName):
            adapter = adapters[found.weight.removeprefix("language_model.").removesuffix(".weight")]
            (adapter.down if found.factor == "A" else adapter.up).copy_(tensor)
            continue
        for place in places(found):
            piece = tensor.chunk(place.parts)[place.part]
            state[place.target].chunk(place.positions)[place.position].copy_(piece)


def _stored_name(canonical: str, trained: TrainedPart) -> str:
    if trained is TrainedPart.LORA and canonical in (_EMBEDDINGS, _HEAD):
        inner = canonical.removeprefix("language_model.").removesuffix(".weight")
        return f"{_LANGUAGE}{inner}.modules_to_save.default.weight"
    return f"mllm.model.{canonical}" if canonical.startswith(_IN_MLLM) else canonical
