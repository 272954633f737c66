"""What a training config says of its LoRA beyond the rank: which arithmetic merges it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from helpers.checkpoint.train_config import TrainingConfig
from helpers.errors import RefusedInput

# Initialisations that leave the base's own weights as they are.
_PLAIN_INITIALISATIONS = (None, True, False, "gaussian", "orthogonal")


@dataclass(frozen=True)
class LoraSettings:
    """LoRA settings that change the merge.

    Attributes:
        rank_stabilised: alpha is divided by the root of the rank; None where the config does not say.
        chosen_layers: the run adapted only some layers.
    """

    rank_stabilised: bool | None
    chosen_layers: bool


def read_lora_settings(config: TrainingConfig) -> LoraSettings:
    """The LoRA settings of a training config.

    Raises:
        RefusedInput: for variants whose merge is not W + scale * B @ A on the given base.
    """
    adapters = list(_adapters(config.values.get("model")))
    for adapter in adapters:
        variants = {
            "use_dora": adapter.get("use_dora") is True,
            "alpha_pattern": bool(adapter.get("alpha_pattern")),
            f"init_lora_weights={adapter.get('init_lora_weights')!r}": adapter.get("init_lora_weights")
            not in _PLAIN_INITIALISATIONS,
        }
        found = [name for name, is_set in variants.items() if is_set]
        if found:
            raise RefusedInput(
                f"{config.origin}: LoRA with {', '.join(found)} cannot be merged onto the plain base; merge it with "
                "peft in the training environment, save the full model, and convert that"
            )
    said = [adapter["use_rslora"] for adapter in adapters if isinstance(adapter.get("use_rslora"), bool)]
    layers = any(adapter.get("layers_to_transform") is not None for adapter in adapters)
    return LoraSettings(said[0] if said else None, layers)


def _adapters(values: object) -> Iterator[Mapping]:
    """Every dict with a LoRA alpha, at any depth."""
    if isinstance(values, Mapping):
        if "lora_alpha" in values:
            yield values
        for value in values.values():
            yield from _adapters(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _adapters(value)
