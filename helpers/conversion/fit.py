"""Whether a base is the one that a checkpoint was trained on, as far as sizes can tell."""

import re

from helpers.checkpoint.source import CheckpointKind
from helpers.conversion.key_map import SAM2, LoraName, canonical_name
from helpers.conversion.plan import EMBEDDINGS, Role
from helpers.conversion.request import Sources
from helpers.errors import RefusedInput

_LAYER = re.compile(r"language_model\.model\.layers\.(\d+)\.(?:self_attn\.[qkv]_proj|mlp\.(?:gate|up)_proj)\.weight")

_ANY_LAYER = re.compile(r"language_model\.model\.layers\.(\d+)\.")


def checkpoint_sizes(sources: Sources) -> dict[str, int]:
    """Sizes that the trained tensors show: language width, language layers, vision width."""
    sizes: dict[str, int] = {}
    layers = set()
    for name, tensor in sources.opened[Role.CHECKPOINT].tensors.items():
        found = canonical_name(name)
        is_factor = isinstance(found, LoraName)
        canonical = found.weight if is_factor else found
        match = _LAYER.fullmatch(canonical)
        if match:
            layers.add(int(match.group(1)))
            if not is_factor or found.factor == "A":
                sizes["language width"] = tensor.shape[1]
        elif canonical == EMBEDDINGS:
            sizes["language width"] = tensor.shape[1]
        elif canonical == "mlp1.0.weight":
            sizes["vision width"] = tensor.shape[0] // 4
    if layers:
        sizes["language layers"] = max(layers) + 1
    return sizes


def require_base_fits(sources: Sources) -> None:
    """Stop where the base's config has other sizes than the trained tensors.

    Raises:
        RefusedInput: naming both, size by size.
    """
    if Role.BASE not in sources.opened or sources.folder != sources.opened[Role.BASE].path:
        return
    config = sources.official
    text = config.get("llm_config", config.get("text_config", {}))
    base = {
        "language width": text.get("hidden_size"),
        "language layers": text.get("num_hidden_layers"),
        "vision width": config.get("vision_config", {}).get("hidden_size"),
    }
    trained = checkpoint_sizes(sources)
    different = [name for name, size in trained.items() if base[name] is not None and base[name] != size]
    if different:
        listed = "; ".join(f"{name}: checkpoint {trained[name]}, base {base[name]}" for name in different)
        raise RefusedInput(
            f"the base {sources.folder.name} does not fit the checkpoint "
            f"{sources.opened[Role.CHECKPOINT].path.name} ({listed}); pass as --base the InternVL folder that the "
            "run started from"
        )


_ALWAYS_SAVED = tuple(
    f"{module}.{kind}"
    for module in ("mlp1.0", "mlp1.1", "mlp1.3", "text_hidden_fcs.0", "text_hidden_fcs.2")
    for kind in ("weight", "bias")
)
_DECODER = SAM2 + "sam_mask_decoder."


def require_whole_checkpoint(sources: Sources) -> None:
    """Stop where a training checkpoint lacks tensors that every run saves, so that the base's would pass for trained.

    Raises:
        RefusedInput: naming what is missing: projector, `[SEG]` projection, mask decoder, or LoRA of some layers.
    """
    checkpoint = sources.opened[Role.CHECKPOINT]
    if checkpoint.kind is not CheckpointKind.MMENGINE:
        return
    found = {canonical_name(name) for name in checkpoint.tensors}
    missing = [name for name in _ALWAYS_SAVED if name not in found]
    for role, source in sources.opened.items():
        if role is not Role.CHECKPOINT and role not in sources.native:
            names = (canonical_name(name) for name in source.tensors)
            missing += [name for name in names if str(name).startswith(_DECODER) and name not in found]
    missing += _layers_without_lora(found, sources)
    if missing:
        raise RefusedInput(
            f"{checkpoint.path.name} lacks {len(missing)} tensors that training saves, for example {missing[0]}; the "
            "base's would pass for trained ones. The file is incomplete: use the checkpoint as training wrote it"
        )


def _layers_without_lora(found: set[str | LoraName], sources: Sources) -> list[str]:
    """Weights without LoRA although other layers have it, unless the run's config chose its layers."""
    if sources.chosen_layers:
        return []
    weights = {name.weight for name in found if isinstance(name, LoraName)}
    indices = {int(match.group(1)) for weight in weights if (match := _ANY_LAYER.match(weight))}
    kinds = {_ANY_LAYER.sub("", weight) for weight in weights if _ANY_LAYER.match(weight)}
    config = sources.official
    text = config.get("llm_config") or config.get("text_config") or {}
    layers = range(text.get("num_hidden_layers") or max(indices, default=-1) + 1)
    expected = [f"language_model.model.layers.{layer}.{kind}" for layer in layers for kind in sorted(kinds)]
    return [f"{weight} (LoRA)" for weight in expected if weight not in weights]
