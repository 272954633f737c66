"""An opened checkpoint of any layout: what it is, which tensors it lists, and each tensor on request."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import torch

from helpers.checkpoints.read.file_type import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    adapter_weights,
    is_adapter_folder,
    refuse_adapters_within,
    refuse_cache_folder,
    refuse_universal,
)
from helpers.checkpoints.read.training_folder import (
    CheckpointMeta,
    refuse_deepspeed,
    refuse_deepspeed_entries,
    refuse_training_folder,
)
from helpers.checkpoints.read.weight_file import TensorInfo, WeightFile, open_weight_file
from helpers.checkpoints.read.weight_folder import holds_weights, open_weight_folder, read_config, read_json_object
from helpers.checkpoints.read.wrapper_names import plain_names
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted

__all__ = ["CheckpointKind", "CheckpointMeta", "TensorInfo", "TensorSource", "open_source"]

_FORMAT_KEY = "sa2va_format_version"
_SHARD_NAME = re.compile(r".+-\d{5}-of-\d{5}\.(safetensors|bin)\Z")
_TRAINING_PREFIXES = ("mllm.", "grounding_encoder.", "text_hidden_fcs.")
INTERNVL_PREFIXES = ("vision_model.", "language_model.", "mlp1.")
# The vision tower of a Qwen model: in its own files of either generation, and in a Sa2VA's.
_QWEN_TOWER = re.compile(r"(model\.){0,2}visual\.")
_SAM2_PREFIXES = ("image_encoder.trunk.", "sam_mask_decoder.")
_ALL_PREFIXES = (*_TRAINING_PREFIXES, *INTERNVL_PREFIXES, *_SAM2_PREFIXES)


class CheckpointKind(Enum):
    """The layouts of a checkpoint, told from its key names and config.

    MMENGINE: a training checkpoint with a meta entry. FLAT: the training key names without it.
    SAM2: a SAM2 model alone. HF_EXPORT: an official Sa2VA export. INTERNVL_BASE: an official
    InternVL model, without SAM2; QWEN_VL_BASE: a Qwen vision-language model likewise. NATIVE: a
    folder written by this kit. PEFT_ADAPTER: a folder with LoRA alone, as peft saves it. OTHER:
    none of these.
    """

    MMENGINE = "mmengine"
    FLAT = "flat"
    SAM2 = "sam2"
    HF_EXPORT = "hf_export"
    INTERNVL_BASE = "internvl_base"
    QWEN_VL_BASE = "qwen_vl_base"
    NATIVE = "native"
    PEFT_ADAPTER = "peft_adapter"
    OTHER = "other"

    @property
    def is_base(self) -> bool:
        """Whether it is what training starts from: a vision-language model without SAM2."""
        return self in (CheckpointKind.INTERNVL_BASE, CheckpointKind.QWEN_VL_BASE)


class TensorSource:
    """One opened checkpoint, a file or a folder. Made by `open_source`; a context manager.

    Attributes:
        path: the file or folder given.
        kind: its layout.
        tensors: name -> TensorInfo, in the order stored; names are the model's own, see `plain_names`.
        wrappers: what put more into the stored names, such as `torch.compile`.
        meta: mmengine's meta entry, None where the checkpoint has none.
        config: config.json of a folder, parsed; None for a file or a folder without one.
        adapter: adapter_config.json of a folder that is an adapter, parsed; None for any other.
        files: the weight files, for hashing.
        ignored: what was found among the tensors, or beside the weight files, and is not read
            (name -> type or reason).
        other_entries: entries of a torch file beside its state dict (name -> type), meta included.
    """

    def __init__(
        self,
        path: Path,
        weight_files: tuple[WeightFile, ...],
        config: dict[str, object] | None,
        left_aside: Mapping[str, str],
        adapter: dict[str, object] | None = None,
    ) -> None:
        self.path = path
        self.config = config
        self.adapter = adapter
        self._weight_files = weight_files
        self.files = tuple(file.path for file in weight_files)
        infos = {name: info for file in weight_files for name, info in file.tensors.items()}
        home = {name: file for file in weight_files for name in file.tensors}
        named = plain_names(infos, path)
        self.wrappers = named.wrappers
        self._home = {name: (home[stored], stored) for name, stored in named.stored.items()}
        self.tensors: Mapping[str, TensorInfo] = MappingProxyType(
            {name: replace(infos[stored], name=name) for name, stored in named.stored.items()}
        )
        self.ignored: Mapping[str, str] = MappingProxyType(
            {name: kind for file in weight_files for name, kind in file.ignored.items()} | dict(left_aside)
        )
        self.other_entries: Mapping[str, str] = MappingProxyType(
            {name: kind for file in weight_files for name, kind in file.other_entries.items()}
        )
        self.meta: CheckpointMeta | None = next((file.meta for file in weight_files if file.meta), None)
        self.kind = _kind(self.tensors, config, self.meta) if adapter is None else CheckpointKind.PEFT_ADAPTER
        self._last_read: WeightFile | None = None

    @property
    def required_config(self) -> Mapping[str, Any]:
        """The folder's config.json, parsed. Raises RefusedInput where there is none."""
        if self.config is None:
            raise RefusedInput(
                f"{self.path}: expected a folder with its config.json, found none. Give the whole folder"
            )
        return self.config

    @property
    def empty(self) -> tuple[str, ...]:
        """Names of tensors without any value: ZeRO-3 leaves them where the shares of a parameter were not gathered."""
        return tuple(name for name, info in self.tensors.items() if info.parameters == 0)

    def read(self, name: str) -> torch.Tensor:
        """The tensor as stored: its own shape and dtype, on the CPU, memory-mapped from its file.

        Only the file read last is kept mapped. Do not write into the result.
        Raises RefusedInput, naming the checkpoint, when there is no such tensor.
        """
        if name not in self._home:
            raise RefusedInput(
                f"{self.path} ({self.kind.value}) has no tensor {name!r} among its {len(self.tensors)}. "
                "Check that it is the right checkpoint."
            )
        file, stored = self._home[name]
        if self._last_read is not None and self._last_read is not file:
            self._last_read.close()
        self._last_read = file
        return file.read(stored)

    def close(self) -> None:
        """Let go of the mapped files. A later read opens its file again."""
        for file in self._weight_files:
            file.close()

    def __enter__(self) -> "TensorSource":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(path: Path) -> TensorSource:
    """Open a checkpoint: a torch or safetensors file, or a folder with weights and an optional config.json.

    Nothing but headers and names is read. Raises RefusedInput, naming the file and saying what to
    do, for anything that is not a whole checkpoint: a missing, truncated or foreign file, a pickle
    that wants more than tensors, a training folder, a DeepSpeed checkpoint, a folder of a download
    cache, a single part of a sharded model, an index that disagrees with its files.
    """
    path = Path(path)
    if not path.exists():
        raise RefusedInput(f"{path} does not exist. Give the path of a checkpoint file or folder.")
    refuse_universal(path)
    if path.is_dir() and is_adapter_folder(path):
        adapter = read_json_object(path / ADAPTER_CONFIG)
        source = TensorSource(path, (open_weight_file(adapter_weights(path)),), None, {}, adapter)
        return _with_tensors(source)
    refuse_deepspeed(path)
    if path.is_dir():
        refuse_cache_folder(path)
        refuse_training_folder(path)
        if not holds_weights(path):
            refuse_adapters_within(path)
        weight_files, left_aside = open_weight_folder(path)
        source = TensorSource(path, weight_files, read_config(path), left_aside)
    else:
        _refuse_part_of_folder(path)
        source = TensorSource(path, (open_weight_file(path),), None, {})
    return _with_tensors(source)


def _with_tensors(source: TensorSource) -> TensorSource:
    if not source.tensors:
        refuse_deepspeed_entries(source.path, [*source.other_entries, *source.ignored])
        entries = ", ".join([*source.other_entries, *source.ignored][:12]) or "nothing"
        raise RefusedInput(
            f"{source.path} holds no tensors (it holds {entries}). Expected model weights: give a checkpoint."
        )
    return source


def _refuse_part_of_folder(path: Path) -> None:
    if path.name in ADAPTER_WEIGHTS:
        beside = (
            "" if (path.parent / ADAPTER_CONFIG).is_file() else f", with the {ADAPTER_CONFIG} that is missing there"
        )
        raise RefusedInput(
            f"{path} is the LoRA of a peft adapter, without its settings. Give its folder: {path.parent}{beside}."
        )
    if _SHARD_NAME.match(path.name) or path.suffix == ".json":
        raise RefusedInput(f"{path} is only a part of a model. Give its folder: {path.parent}.")


def _kind(names: Iterable[str], config: Mapping[str, object] | None, meta: CheckpointMeta | None) -> CheckpointKind:
    if config is not None and _FORMAT_KEY in config:
        return CheckpointKind.NATIVE
    if meta is not None:
        return CheckpointKind.MMENGINE
    present = {prefix for name in names for prefix in _ALL_PREFIXES if name.startswith(prefix)}
    if present.issuperset(_SAM2_PREFIXES):
        return CheckpointKind.SAM2
    if present.issuperset(INTERNVL_PREFIXES):
        return CheckpointKind.HF_EXPORT if "grounding_encoder." in present else CheckpointKind.INTERNVL_BASE
    if any(map(_QWEN_TOWER.match, names)):
        return CheckpointKind.HF_EXPORT if "grounding_encoder." in present else CheckpointKind.QWEN_VL_BASE
    if not present.isdisjoint(_TRAINING_PREFIXES):
        return CheckpointKind.FLAT
    return CheckpointKind.OTHER


def empty_text(count: int, tensors: int) -> str:
    """What empty tensors of a checkpoint mean."""
    return (
        f"{count} of {counted(tensors, 'tensor')} without values: they were saved under DeepSpeed ZeRO-3 without "
        "gathering the shares of its processes, and the values are not in this file"
    )
