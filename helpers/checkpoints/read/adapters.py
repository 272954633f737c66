"""The settings of LoRA adapters: by the key under which each stands in a training config, or from peft's own file.

Nothing is filled in: what a config does not say is None, and what it says in a way that is not read is named.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from helpers.checkpoints.read.config_scope import DottedName, Unread
from helpers.core.errors import RefusedInput

MAX_LORA_NUMBER = 1e9

# The values with which a setting leaves the merge W + scale * B @ A on the given base as it is. Lacking, and None or an
# empty value, mean the same for all of them.
_PLAIN: Mapping[str, tuple[object, ...]] = {
    "use_dora": (False,),
    "use_qalora": (False,),
    "lora_bias": (False,),
    "fan_in_fan_out": (False,),
    "init_lora_weights": (True, False, "gaussian", "orthogonal"),
    "alpha_pattern": (),
    "layer_replication": (),
    "trainable_token_indices": (),
    "target_parameters": (),
    "alora_invocation_tokens": (),
}
_BIASES = ("none", "all", "lora_only")


class AdapterPart(Enum):
    """A part of the model with an adapter of its own; the value is its key in a training config."""

    LANGUAGE = "llm_lora"
    VISION = "visual_encoder_lora"


@dataclass(frozen=True)
class AdapterSettings:
    """What is said of one adapter; None where nothing is said, or where the value was not read.

    Attributes:
        alpha, rank: as peft takes them.
        pattern_ranks: ranks of single modules that differ from `rank`.
        rank_stabilised: alpha is divided by the root of the rank.
        bias: which biases were trained beside it: 'none', 'all' or 'lora_only'.
        chosen_layers: only some layers were adapted.
        targets: names of the modules with LoRA; None for all linear layers, empty where it was not read which.
        saved_modules: modules that were trained as a whole.
        variants: settings whose merge is not W + scale * B @ A on the plain base.
        unread: 'setting: source text' for each that was found and not understood; 'adapter: ...' for all of it.
    """

    alpha: float | None = None
    rank: int | None = None
    pattern_ranks: frozenset[int] = frozenset()
    rank_stabilised: bool | None = None
    bias: str = "none"
    chosen_layers: bool = False
    targets: tuple[str, ...] | None = None
    saved_modules: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def find_adapters(model: object, origin: str) -> dict[AdapterPart, AdapterSettings]:
    """The adapters of a training config's model, by part.

    The language model's may stand under another key where the config has no `llm_lora`: LoRA of one kind is then the
    language model's.

    Raises:
        RefusedInput: where one part has adapters with different settings.
    """
    found: dict[AdapterPart, list[object]] = {part: list(values_under(model, part.value)) for part in AdapterPart}
    if not found[AdapterPart.LANGUAGE]:
        known = {part.value for part in AdapterPart}
        found[AdapterPart.LANGUAGE] = list(_dicts_with(model, "lora_alpha", known))
    adapters = {}
    for part, values in found.items():
        others = {other.value for other in AdapterPart if other is not part}
        hidden = None if values else _unread_place(model, others)
        read = [_read(value) for value in (*values, hidden) if value is not None]
        if read:
            adapters[part] = _one(part, read, origin)
    return adapters


def read_adapter_file(values: Mapping[str, object]) -> AdapterSettings:
    """The settings in peft's `adapter_config.json`, parsed."""
    read = _read(dict(values))
    kind = values.get("peft_type")
    return read if kind == "LORA" else replace(read, variants=(f"peft_type {kind!r}", *read.variants))


def unread_entry(part: AdapterPart, entry: str) -> str:
    """An entry of `unread` with the place in a config that it is about."""
    setting, _, text = entry.partition(": ")
    if setting == "adapter":
        return f"{part.value}: {text}"
    own = part is AdapterPart.LANGUAGE and setting in ("lora_alpha", "lora_rank")
    return entry if own else f"{part.value}.{entry}"


def shown_unread(value: object) -> str:
    """A value that was not understood, in one line."""
    if isinstance(value, Unread):
        return value.text
    if isinstance(value, DottedName):
        return f"{value} (imported name, not followed)"
    return f"{value!r} (of an unexpected type)"[:200]


def values_under(value: object, key: str) -> Iterator[object]:
    """What stands under a key of dicts within a value, at any depth."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == key:
                yield item
            else:
                yield from values_under(item, key)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from values_under(item, key)


def _dicts_with(value: object, key: str, without: set[str]) -> Iterator[object]:
    """Every dict that has the key, but for those under the keys of `without`."""
    if isinstance(value, dict):
        if key in value:
            yield value
        for name, item in value.items():
            if name not in without:
                yield from _dicts_with(item, key, without)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _dicts_with(item, key, without)


def _unread_place(value: object, without: set[str]) -> Unread | None:
    """The marker in the place where an adapter may be; not under the keys of `without`."""
    if isinstance(value, Unread):
        return value
    for key, item in value.items() if isinstance(value, dict) else ():
        holds_adapter = key not in without and (key == "mllm" or (isinstance(key, str) and "lora" in key))
        found = _unread_place(item, without) if holds_adapter or isinstance(item, dict) else None
        if found is not None:
            return found
    return None


def _one(part: AdapterPart, read: list[AdapterSettings], origin: str) -> AdapterSettings:
    for name in ("alpha", "rank"):
        different = sorted({value for one in read if (value := getattr(one, name)) is not None})
        if len(different) > 1:
            raise RefusedInput(
                f"{origin} gives different values of lora_{name} in its model: "
                f"{', '.join(f'{value:g}' for value in different)}. Expected one for {part.value}; which is meant "
                "cannot be told. Correct a copy of the config and give that as --train-config"
            )
    if any(one != read[0] for one in read):
        raise RefusedInput(
            f"{origin} gives {len(read)} different adapters for {part.value}; it is unclear which is meant. Correct a "
            "copy of the config and give that as --train-config"
        )
    return read[0]


def _read(values: object) -> AdapterSettings:
    if not isinstance(values, Mapping):
        return AdapterSettings(unread=(f"adapter: {shown_unread(values)}",))
    unread: list[str] = []

    def not_read(name: str, value: object) -> None:
        unread.append(f"{name}: {shown_unread(value)}")

    alpha, rank = _number(values.get("lora_alpha")), _number(values.get("r"))
    if alpha is None and values.get("lora_alpha") is not None:
        not_read("lora_alpha", values["lora_alpha"])
    if values.get("r") is not None and (rank is None or not rank.is_integer()):
        not_read("lora_rank", values["r"])
        rank = None
    pattern = values.get("rank_pattern") or {}
    is_pattern = isinstance(pattern, Mapping)
    ranks = [_number(one) for one in pattern.values()] if is_pattern else []
    if not is_pattern or None in ranks:
        not_read("rank_pattern", pattern)
    stabilised = values.get("use_rslora")
    if not isinstance(stabilised, bool | None):
        not_read("use_rslora", stabilised)
    bias = "none" if values.get("bias") is None else values["bias"]
    if bias not in _BIASES:
        not_read("bias", bias)
    saved = values.get("modules_to_save") or ()
    if not isinstance(saved, list | tuple) or any(type(one) is not str for one in saved):
        not_read("modules_to_save", saved)
        saved = ()
    chosen = values.get("layers_to_transform")
    if isinstance(chosen, Unread | DottedName):
        not_read("layers_to_transform", chosen)
    return AdapterSettings(
        alpha=alpha,
        rank=None if rank is None else int(rank),
        pattern_ranks=frozenset(int(one) for one in ranks if one is not None),
        rank_stabilised=stabilised if isinstance(stabilised, bool) else None,
        bias=bias if isinstance(bias, str) else "none",
        chosen_layers=chosen is not None or _names_layers(values.get("target_modules")),
        targets=_targets(values),
        saved_modules=tuple(saved),
        variants=tuple(_variants(values, not_read)),
        unread=tuple(unread),
    )


def _names_layers(targets: object) -> bool:
    """Whether the modules are chosen by a pattern or by their place, and so perhaps in some layers only."""
    if isinstance(targets, str) and not isinstance(targets, DottedName):
        return targets != "all-linear"
    return isinstance(targets, list | tuple) and any(isinstance(one, str) and "." in one for one in targets)


def _targets(values: Mapping) -> tuple[str, ...] | None:
    """As `AdapterSettings.targets`."""
    targets = values.get("target_modules")
    if values.get("exclude_modules"):
        return ()
    if targets is None or (targets == "all-linear" and not isinstance(targets, DottedName)):
        return None
    is_read = isinstance(targets, list | tuple) and all(type(one) is str for one in targets)
    return tuple(targets) if is_read else ()


def _variants(values: Mapping[object, object], not_read: Callable[[str, object], None]) -> Iterator[str]:
    """Settings with another merge; those that are not read go to `not_read`."""
    kind = values.get("type")
    if isinstance(kind, Unread):
        not_read("type", kind)
    elif isinstance(kind, str) and kind.rpartition(".")[2] != "LoraConfig":
        yield f"type {kind}"
    for name, plain in _PLAIN.items():
        value = values.get(name)
        if isinstance(value, Unread | DottedName):
            not_read(name, value)
        elif value not in plain and (value or name == "init_lora_weights") and value is not None:
            yield name if value is True else f"{name}={value!r}"[:80]


def _number(value: object) -> float | None:
    """A positive number; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_LORA_NUMBER:
        return float(value)
    return None
