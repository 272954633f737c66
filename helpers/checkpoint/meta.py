"""What mmengine writes beside the tensors: the `meta` entry of a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass

# Deeper or wider values than mmengine writes are shown as their type only.
_MAX_DEPTH = 8


@dataclass(frozen=True)
class CheckpointMeta:
    """The `meta` entry. A field that is absent, or not of the expected type, is None.

    `config_text` is the training config as text; it is never executed. `dataset_meta` holds plain
    values only.
    """

    iter: int | None
    epoch: int | None
    seed: int | None
    experiment_name: str | None
    time: str | None
    mmengine_version: str | None
    config_text: str | None
    dataset_meta: dict[str, object] | None


def meta_from_entry(entry: Mapping[object, object]) -> CheckpointMeta:
    """Take the known fields of a checkpoint's `meta` entry."""
    dataset_meta = entry.get("dataset_meta")
    return CheckpointMeta(
        iter=_whole_number(entry.get("iter")),
        epoch=_whole_number(entry.get("epoch")),
        seed=_whole_number(entry.get("seed")),
        experiment_name=_text(entry.get("experiment_name")),
        time=_text(entry.get("time")),
        mmengine_version=_text(entry.get("mmengine_version")),
        config_text=_text(entry.get("cfg")),
        dataset_meta=_plain_dict(dataset_meta, 0) if isinstance(dataset_meta, Mapping) else None,
    )


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _plain_dict(value: Mapping[object, object], depth: int) -> dict[str, object]:
    return {str(key): _plain(item, depth + 1) for key, item in value.items()}


def _plain(value: object, depth: int) -> object:
    """The value as JSON can hold it; anything else as the name of its type."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return _plain_dict(value, depth)
    if depth < _MAX_DEPTH and isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return f"<{type(value).__name__}>"
