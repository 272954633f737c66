"""Checks of a base: it is the one a checkpoint was trained on, as far as sizes tell, and has its family's pixels."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from helpers.checkpoints.convert.common_names import internlm2_module, is_internlm2
from helpers.checkpoints.convert.families import language_config
from helpers.checkpoints.convert.key_map import LoraName, canonical_name, inverse
from helpers.checkpoints.convert.lora_settings import adapter_part
from helpers.checkpoints.convert.plan import EMBEDDINGS, SourceRole
from helpers.checkpoints.convert.request import Sources
from helpers.checkpoints.read.adapters import AdapterPart
from helpers.checkpoints.read.model_identity import SAM2
from helpers.checkpoints.read.weight_folder import read_json_object
from helpers.checkpoints.read.weight_source import CheckpointKind, TensorSource
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.model.configuration_sa2va import Sa2VAConfig

_LAYER = re.compile(
    r"language_model\.model\.layers\.(\d+)\.(?:self_attn\.[qkv]_proj|attention\.wqkv|mlp\.(?:gate|up)_proj)\.weight"
)

_SPLIT_HEADS = frozenset(f"self_attn.{name}_proj.weight" for name in "qkv")
_FUSED_HEADS = "attention.wqkv.weight"

_PROCESSOR = "preprocessor_config.json"
_BICUBIC = 3


@dataclass(frozen=True)
class _Layers:
    """Where the layers of a part stand: beginning of their names, and what of a config has their number."""

    prefix: str
    settings: Callable[[Mapping], Mapping]

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.prefix) + r"(\d+)\.")


_LAYERS = {
    AdapterPart.LANGUAGE: _Layers("language_model.model.layers.", language_config),
    AdapterPart.VISION: _Layers("vision_model.encoder.layers.", lambda config: config.get("vision_config", {})),
}


def checkpoint_sizes(sources: Sources) -> dict[str, int]:
    """Sizes that the trained tensors show: language width, language layers, vision width."""
    sizes: dict[str, int] = {}
    layers = set()
    for name, tensor in sources.opened[SourceRole.CHECKPOINT].tensors.items():
        named = canonical_name(name)
        canonical, has_width = (named.weight, named.factor == "A") if isinstance(named, LoraName) else (named, True)
        match = _LAYER.fullmatch(canonical)
        if match:
            layers.add(int(match.group(1)))
            if has_width:
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
    if SourceRole.BASE not in sources.opened or sources.folder != sources.opened[SourceRole.BASE].path:
        return
    config = sources.official
    text = language_config(config)
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
            f"{sources.opened[SourceRole.CHECKPOINT].path.name} ({listed}); pass as --base the folder that the run "
            "started from"
        )


_PROJECTOR = ("mlp1.0", "mlp1.1", "mlp1.3")
_SEG_PROJECTION = ("text_hidden_fcs.0", "text_hidden_fcs.2")
_DECODER = SAM2 + "sam_mask_decoder."


def require_whole_checkpoint(sources: Sources) -> None:
    """Stop where a training checkpoint lacks tensors that every run saves, so that the base's would pass for trained.

    Raises:
        RefusedInput: naming what is missing: projector, `[SEG]` projection, mask decoder, or LoRA of some layers or
            of one kind of them.
    """
    checkpoint = sources.opened[SourceRole.CHECKPOINT]
    if checkpoint.kind not in (CheckpointKind.MMENGINE, CheckpointKind.FLAT, CheckpointKind.PEFT_ADAPTER):
        return
    found = {canonical_name(name) for name in checkpoint.tensors}
    beneath = _names_beneath(sources)
    missing = []
    if checkpoint.kind is CheckpointKind.MMENGINE:
        modules = (*(_PROJECTOR if sources.family.has_projector else ()), *_SEG_PROJECTION)
        saved = [f"{module}.{kind}" for module in modules for kind in ("weight", "bias")]
        missing += [name for name in saved if name not in found]
        missing += [name for name in beneath if name.startswith(_DECODER) and name not in found]
    _require_any(found, sources)
    _require_kinds(found, beneath, sources)
    missing += _layers_without_lora(AdapterPart.LANGUAGE, found, sources)
    _refuse_incomplete(checkpoint, missing)


def vision_lora_notes(sources: Sources) -> list[str]:
    """What a reader should know of LoRA on some layers of the vision tower: which it is on is the run's choice."""
    found = {canonical_name(name) for name in sources.opened[SourceRole.CHECKPOINT].tensors}
    missing = _layers_without_lora(AdapterPart.VISION, found, sources)
    return [f"LoRA is on some layers of the vision tower; not, for example, on {missing[0]}"] if missing else []


def require_trained_beside(sources: Sources) -> None:
    """Stop where a checkpoint lacks what the settings of its LoRA say was trained as a whole beside it.

    Raises:
        RefusedInput: naming what is missing: modules, or biases.
    """
    checkpoint = sources.opened[SourceRole.CHECKPOINT]
    found = {canonical_name(name) for name in checkpoint.tensors}
    beneath = _names_beneath(sources)
    _refuse_incomplete(
        checkpoint, [name for part in AdapterPart for name in _trained_beside(part, found, beneath, sources)]
    )


def _refuse_incomplete(checkpoint: TensorSource, missing: list[str]) -> None:
    if missing:
        raise RefusedInput(
            f"{checkpoint.path.name} lacks {counted(len(missing), 'tensor')} that training saves, for example "
            f"{missing[0]}; the base's would pass for trained ones. The file is incomplete: use the checkpoint as "
            "training wrote it"
        )


def _names_beneath(sources: Sources) -> tuple[str, ...]:
    """Canonical names of all that lies beneath the checkpoint, each once."""
    names: dict[str, None] = {}
    for role, source in sources.opened.items():
        if role is not SourceRole.CHECKPOINT:
            native = role in sources.native
            found = inverse(source.tensors) if native else map(canonical_name, source.tensors)
            names |= dict.fromkeys(name for name in found if isinstance(name, str))
    return tuple(names)


def _require_any(found: set[str | LoraName], sources: Sources) -> None:
    """Stop where the run's settings name the language model's adapter, and there is neither LoRA nor a weight of it.

    That of the vision tower is skipped where there is none: settings of a frozen tower have no effect.
    """
    checkpoint, part = sources.opened[SourceRole.CHECKPOINT], AdapterPart.LANGUAGE
    names = (name.weight if isinstance(name, LoraName) else name for name in found)
    is_there = any(map(_LAYERS[part].pattern.match, names))
    # A file of peft's own says how its LoRA is merged, whatever part it is on.
    if is_there or checkpoint.kind is CheckpointKind.PEFT_ADAPTER or sources.run.adapter(part) is None:
        return
    raise RefusedInput(
        f"{checkpoint.path.name} holds no LoRA of {part.value}, which {sources.run.origin} names; the base's weights "
        "would pass for trained ones. The file is incomplete: use the checkpoint as training wrote it"
    )


def _require_kinds(found: set[str | LoraName], beneath: tuple[str, ...], sources: Sources) -> None:
    """Stop where LoRA of one kind of linear layer is missing in every layer of the language model.

    Which kinds have LoRA the run's settings say; where they name none, as in the official training, it is all of them.
    """
    part = AdapterPart.LANGUAGE
    adapter, pattern = sources.run.adapter(part), _LAYERS[part].pattern
    present = {
        pattern.sub("", name.weight) for name in found if isinstance(name, LoraName) and pattern.match(name.weight)
    }
    if not present or (adapter is not None and (adapter.chosen_layers or adapter.targets == ())):
        return
    checkpoint = sources.opened[SourceRole.CHECKPOINT]
    own_names = is_internlm2(checkpoint.tensors)
    kinds = {pattern.sub("", name) for name in beneath if pattern.match(name) and name.endswith(".weight")}
    linear = {kind for kind in kinds if "norm" not in kind}
    if own_names and linear & _SPLIT_HEADS:  # the base is a folder of this kit, which holds them apart
        linear = linear - _SPLIT_HEADS | {_FUSED_HEADS}
    targets = None if adapter is None else adapter.targets
    module_of = internlm2_module if own_names else _last_module
    missing = {module_of(f"language_model.{kind}") for kind in linear - present}
    missing &= missing if targets is None else set(targets)
    if missing:
        said = "all linear layers" if targets is None else f"target_modules {list(targets)}"
        raise RefusedInput(
            f"{checkpoint.path.name} has LoRA, and none of {', '.join(sorted(missing))} in any layer of the language "
            f"model; the run has it on {said}, so that the base's weights would pass for trained ones. The file is "
            "incomplete: use the checkpoint as training wrote it. Where the run did choose its modules, name them as "
            "target_modules in a copy of its config and pass that as --train-config"
        )


def _layers_without_lora(part: AdapterPart, found: set[str | LoraName], sources: Sources) -> list[str]:
    """Weights without LoRA although other layers have it, unless the run's config chose its layers."""
    adapter, layers = sources.run.adapter(part), _LAYERS[part]
    if adapter is not None and adapter.chosen_layers:
        return []
    weights = {name.weight for name in found if isinstance(name, LoraName)}
    matches = {weight: match for weight in weights if (match := layers.pattern.match(weight))}
    indices = {int(match[1]) for match in matches.values()}
    kinds = {layers.pattern.sub("", weight, count=1) for weight in matches}
    count = layers.settings(sources.official).get("num_hidden_layers") or max(indices, default=-1) + 1
    expected = [f"{layers.prefix}{layer}.{kind}" for layer in range(count) for kind in sorted(kinds)]
    return [f"{weight} (LoRA)" for weight in expected if weight not in weights]


def _trained_beside(
    part: AdapterPart, found: set[str | LoraName], beneath: tuple[str, ...], sources: Sources
) -> list[str]:
    """What the adapter's settings say was trained beside it, as a whole, and the checkpoint lacks."""
    adapter = sources.run.adapter(part)
    weights = {name.weight for name in found if isinstance(name, LoraName) and adapter_part(name.weight) is part}
    if adapter is None or not weights:
        return []
    modules = [name for name in beneath if adapter_part(name) is part]
    own_names = is_internlm2(sources.opened[SourceRole.CHECKPOINT].tensors)
    module_of = internlm2_module if own_names else _last_module
    saved = [name for name in modules if module_of(name) in adapter.saved_modules]
    biases = [name for name in modules if name.endswith(".bias")]
    if adapter.bias == "lora_only":
        biases = [name for name in biases if f"{name.removesuffix('bias')}weight" in weights]
    expected = [*saved, *(biases if adapter.bias != "none" else [])]
    return [name for name in expected if name not in found]


def _last_module(name: str) -> str:
    return name.rpartition(".")[0].rpartition(".")[2]


def require_own_pixels(folder: Path, config: Sa2VAConfig) -> None:
    """Stop where the image processor of a Qwen model's folder makes other pixels than its family's.

    The official models take theirs from that file. The least and most pixels in it have no effect: they give their own
    with each call. Models of other families do not read it at all.

    Raises:
        RefusedInput: naming the file and the settings that differ.
    """
    path = folder / _PROCESSOR
    if not config.pixel_mean or not path.is_file():
        return
    vision = config.vision_config
    expected = {
        "image_mean": config.pixel_mean,
        "image_std": config.pixel_std,
        "patch_size": vision.patch_size,
        "merge_size": vision.spatial_merge_size,
        "temporal_patch_size": vision.temporal_patch_size,
        "rescale_factor": 1 / 255,
        "resample": _BICUBIC,
        **dict.fromkeys(("do_resize", "do_rescale", "do_normalize"), True),
    }
    stated = read_json_object(path)
    # What the file leaves out, or null, is the processor's default, which is the expected one.
    others = {name: stated[name] for name, value in expected.items() if stated.get(name) not in (None, value)}
    if others:
        wanted = {name: expected[name] for name in others}
        raise RefusedInput(
            f"{path}: expected {wanted}, as models of this family see images, got {others}; use the file of the folder "
            "that training started from, unchanged"
        )
