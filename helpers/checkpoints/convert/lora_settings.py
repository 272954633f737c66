"""By which scale each LoRA of a checkpoint is merged: settings belong to an adapter, never to the one beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

from helpers.checkpoints.convert.conversion_settings import Candidate, Setting, TrainingRunConfig, resolve_setting
from helpers.checkpoints.convert.key_map import LoraName, canonical_name
from helpers.checkpoints.read.adapters import AdapterPart, AdapterSettings, unread_entry
from helpers.checkpoints.read.train_config import TrainingConfig
from helpers.checkpoints.read.weight_source import TensorSource
from helpers.core.errors import RefusedInput

_PREFIXES = {
    "language_model.": AdapterPart.LANGUAGE,
    "vision_model.": AdapterPart.VISION,
    "vision_tower.": AdapterPart.VISION,
    "visual.": AdapterPart.VISION,
}
# Names of the settings in the record: alpha, and whether it is divided by the root of the rank.
SETTING_NAMES: Mapping[AdapterPart, tuple[str, str]] = {
    AdapterPart.LANGUAGE: ("lora_alpha", "rank_stabilised"),
    AdapterPart.VISION: ("vision_lora_alpha", "vision_rank_stabilised"),
}
_SHOWN = 3
_OWN_CONFIG = "the run's own config as --train-config"


@dataclass(frozen=True)
class LoraScale:
    """What scales the product of two factors.

    Attributes:
        alpha: None where no source names it.
        rank_stabilised: alpha is divided by the root of the rank.
    """

    alpha: float | None
    rank_stabilised: bool = False


def adapter_part(weight: str) -> AdapterPart | None:
    """The part of the model whose adapter changes a weight, by its canonical or native name; None for any other."""
    return next((part for prefix, part in _PREFIXES.items() if weight.startswith(prefix)), None)


def tensor_ranks(checkpoint: TensorSource) -> dict[AdapterPart, set[int]]:
    """The ranks of a checkpoint's LoRA pairs, by part; parts without LoRA are left out."""
    ranks: dict[AdapterPart, set[int]] = {}
    for name, tensor in checkpoint.tensors.items():
        found = canonical_name(name)
        if not isinstance(found, LoraName) or found.factor != "A" or not tensor.shape:
            continue
        part = adapter_part(found.weight)
        if part is not None:
            ranks.setdefault(part, set()).add(tensor.shape[0])
    return ranks


def settle_lora(lora_alpha: float | None, run: TrainingRunConfig, checkpoint: TensorSource) -> dict[str, Setting]:
    """Alpha and rank stabilisation of each part, by their names in the record.

    The language model's are always among them, those of a part without LoRA as the config has them.

    Args:
        lora_alpha: the option; of the language model's LoRA.
    Raises:
        UsageProblem, RefusedInput: for a setting that was not read, a rank that is not the tensors', and variants whose
            merge is not W + scale * B @ A on the given base.
    """
    run = run.lora
    ranks = tensor_ranks(checkpoint)
    for part, found in ranks.items():
        adapter = run.adapter(part)
        if adapter is not None:
            _require_plain(part, adapter, run)
            _require_read(part, adapter, run, lora_alpha is not None and part is AdapterPart.LANGUAGE)
            _require_rank(part, adapter, run, found, checkpoint)
    settled = {}
    for part in AdapterPart:
        if part is not AdapterPart.LANGUAGE and part not in ranks:
            continue
        given = [Candidate(lora_alpha, "--lora-alpha", explicit=True)] if part is AdapterPart.LANGUAGE else []
        alpha, stabilised = SETTING_NAMES[part]
        for name, field, options in ((alpha, "alpha", given), (stabilised, "rank_stabilised", [])):
            settled[name] = resolve_setting(
                name,
                [*options, *_said(run.governing, part, field, run.explicit)],
                "--lora-alpha" if options else "--train-config",
                _said(run.superseded, part, field, False),
            )
    return settled


def _said(config: TrainingConfig | None, part: AdapterPart, field: str, explicit: bool) -> list[Candidate]:
    if config is None:
        return []
    return [Candidate(getattr(config.adapter(part), field), config.origin, explicit)]


def _require_plain(part: AdapterPart, adapter: AdapterSettings, run: TrainingRunConfig) -> None:
    if adapter.variants:
        raise RefusedInput(
            f"{run.origin}: {part.value}: LoRA with {', '.join(adapter.variants)} cannot be merged onto the plain "
            "base; merge it with peft in the training environment, save the full model, and convert that"
        )


def _require_read(part: AdapterPart, adapter: AdapterSettings, run: TrainingRunConfig, alpha_given: bool) -> None:
    for entry in adapter.unread:
        is_alpha = entry.startswith("lora_alpha: ")
        if alpha_given and is_alpha:
            continue
        option = "--lora-alpha, or " if is_alpha and part is AdapterPart.LANGUAGE else ""
        raise run.problem(
            f"{run.origin}: {unread_entry(part, entry)} is not a plain value and is not computed; pass "
            f"{option}{run.written_out}"
        )


def _require_rank(
    part: AdapterPart, adapter: AdapterSettings, run: TrainingRunConfig, found: set[int], checkpoint: TensorSource
) -> None:
    if adapter.rank is not None and not found <= {adapter.rank} | adapter.pattern_ranks:
        others = sorted(found - {adapter.rank} - adapter.pattern_ranks)
        raise run.problem(
            f"{run.origin} says LoRA rank {adapter.rank} for {part.value}, the tensors of {checkpoint.path.name} have "
            f"{', '.join(map(str, others[:_SHOWN]))}: settings and tensors are not of one run, and alpha is one of "
            f"these settings. Pass {'the folder as peft saved it' if run.adapter_file else _OWN_CONFIG}"
        )


def lora_scales(settings: Mapping[str, Setting]) -> dict[AdapterPart, LoraScale]:
    """The scales that settings name, by part."""
    return {
        part: LoraScale(settings[alpha].value, bool(settings[stabilised].value))
        for part, (alpha, stabilised) in SETTING_NAMES.items()
        if alpha in settings
    }
