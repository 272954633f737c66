"""Sources of a conversion that exist as names and shapes only, for what is decided from these."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from helpers.checkpoints.convert.conversion_settings import TrainingRunConfig
from helpers.checkpoints.convert.families import facts_of
from helpers.checkpoints.convert.plan import SourceRole
from helpers.checkpoints.read.adapters import AdapterPart, AdapterSettings
from helpers.checkpoints.read.train_config import TrainingConfig
from helpers.checkpoints.read.weight_source import CheckpointKind

SHAPE = (4, 2)


def listed(kind: CheckpointKind, tensors, path: str, config: Mapping | None = None, **more) -> SimpleNamespace:
    """A source of this kind; `tensors` gives names, or shapes by name."""
    shapes = tensors if isinstance(tensors, Mapping) else dict.fromkeys(tensors, SHAPE)
    infos = {name: SimpleNamespace(shape=shape) for name, shape in shapes.items()}
    rest = {"ignored": {}, "adapter": None, "meta": None, "empty": (), "files": ()}
    return SimpleNamespace(kind=kind, tensors=infos, path=Path(path), config=config, **(rest | more))


def run_config(adapters: Mapping[AdapterPart, AdapterSettings] | None = None, **said) -> TrainingRunConfig:
    """A training run whose stored config says this."""
    nothing = dict.fromkeys(
        ("template", "special_tokens", "base_path", "sam2_path", "sam2_config", "pretrained_pth", "inherited")
    )
    fields = {"origin": "the config", "unread": (), "text": "", "values": {}, **nothing, **said}
    return TrainingRunConfig(TrainingConfig(adapters=adapters or {}, **fields))


def sources_of(
    opened: Mapping[SourceRole, SimpleNamespace], official: Mapping | None = None, **more
) -> SimpleNamespace:
    """The opened sources of a conversion, whose config and tokenizer are the base's."""
    folder = opened[SourceRole.BASE].path if SourceRole.BASE in opened else Path("elsewhere")
    native = frozenset(role for role, source in opened.items() if source.kind is CheckpointKind.NATIVE)
    rest = {"run": TrainingRunConfig(), "folder": folder, "tokenizer_folder": folder, "native": native,
            "family": facts_of(official or {})}  # fmt: skip
    return SimpleNamespace(opened=opened, official=official or {}, **(rest | more))
