"""What a checkpoint is converted with: the whole line, what it needs beside the checkpoint, and how large that is."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from types import MappingProxyType

from helpers.checkpoints.read.tensor_groups import TensorGroup, group_of
from helpers.checkpoints.read.train_config import TrainingConfig
from helpers.checkpoints.read.weight_file import TensorInfo
from helpers.checkpoints.read.weight_source import CheckpointKind

SAM2_FILE, SAM2_BYTES = "sam2_hiera_large.pt", 897_700_000
_OUTPUT = "my-model"
_LAYER = re.compile(r"\.layers\.(\d+)\.")
_LANGUAGE = (TensorGroup.LANGUAGE_MODEL, TensorGroup.LORA)


@dataclass(frozen=True)
class PublishedModel:
    """A vision-language model that Sa2VA is published with.

    Attributes:
        size: what people call its size.
        folder: published name of the base.
        base_bytes, export_bytes: of the base as published, and of a Sa2VA made of it in bfloat16.
    """

    size: str
    folder: str
    base_bytes: int
    export_bytes: int


# By family, and width and number of layers of the language model.
PUBLISHED: Mapping[tuple[str, int, int], PublishedModel] = MappingProxyType(
    {
        ("InternVL", 3584, 28): PublishedModel("8B", "InternVL3-8B", 15_888_747_520, 16_365_213_284),
        ("InternVL", 4096, 32): PublishedModel("8B", "InternVL2_5-8B", 16_150_730_752, 16_635_334_244),
        ("InternVL", 6144, 48): PublishedModel("26B", "InternVL2_5-26B", 51_028_372_224, 51_556_012_388),
        ("Qwen2.5-VL", 2048, 36): PublishedModel("3B", "Qwen2.5-VL-3B-Instruct", 7_509_245_952, 8_587_699_812),
        ("Qwen2.5-VL", 3584, 28): PublishedModel("7B", "Qwen2.5-VL-7B-Instruct", 16_584_333_312, 17_055_079_012),
        ("Qwen3-VL", 2560, 36): PublishedModel("4B", "Qwen3-VL-4B-Instruct", 8_875_631_616, 10_114_145_892),
    }
)


@dataclass(frozen=True)
class ConvertLine:
    """A command, and what it needs.

    Attributes:
        line: as a shell takes it.
        needs: names of what stands beside the checkpoint, with bytes; None where they are unknown.
        output_bytes: of the export in bfloat16; None where unknown.
    """

    line: str
    needs: tuple[tuple[str, int | None], ...]
    output_bytes: int | None


def published_model(family: str | None, tensors: Iterable[TensorInfo]) -> PublishedModel | None:
    """The published model of these sizes; None where the sizes are others, or not all told by the tensors."""
    widths, layers = set(), {-1}
    for info in tensors:
        group = group_of(info.name)
        if group in _LANGUAGE and (match := _LAYER.search(info.name)):
            layers.add(int(match[1]))
        if group is TensorGroup.EMBEDDINGS and len(info.shape) == 2:
            widths.add(info.shape[1])
    if len(widths) != 1 or family is None:
        return None
    return PUBLISHED.get((family, widths.pop(), max(layers) + 1))


def convert_line(
    path: Path,
    kind: CheckpointKind,
    groups: Iterable[TensorGroup],
    config: TrainingConfig | None,
    model: PublishedModel | None,
) -> ConvertLine | None:
    """How a checkpoint becomes a folder; None for what is none, such as a base.

    Args:
        groups: parts of the model that it holds.
        config: its training config, whose names of base, SAM2 and Sa2VA go before the published ones.
    """
    given = ["vesselkit", "convert", "--checkpoint", str(path)]
    output = None if model is None else model.export_bytes
    if kind is CheckpointKind.HF_EXPORT and path.is_dir():
        return ConvertLine(shlex.join([*given, "--output", _OUTPUT]), (), output)
    if kind not in (CheckpointKind.MMENGINE, CheckpointKind.FLAT, CheckpointKind.PEFT_ADAPTER):
        return None
    named = (None,) * 3 if config is None else (config.base_path, config.sam2_path, config.pretrained_pth)
    own_base, own_sam2, pretrained = map(_last, named)
    is_adapter = kind is CheckpointKind.PEFT_ADAPTER  # trained on a Sa2VA, which has SAM2
    base, size = ("BASE_FOLDER", None) if model is None else (model.folder, model.base_bytes)
    if is_adapter:
        base, size = "SA2VA_FOLDER", output
    beside = [("--base", own_base or base, size)]
    if not is_adapter and TensorGroup.IMAGE_ENCODER not in groups:
        beside.append(("--sam2", own_sam2 or SAM2_FILE, SAM2_BYTES if own_sam2 in (None, SAM2_FILE) else None))
    if pretrained is not None:
        beside.append(("--pretrained", pretrained, output))
    options = [word for option, name, _ in beside for word in (option, name)]
    needs = tuple((name, size) for _, name, size in beside)
    return ConvertLine(shlex.join([*given, *options, "--output", _OUTPUT]), needs, output)


def _last(place: str | None) -> str | None:
    """The last part of a path of the training machine, which may have been on Windows."""
    return PureWindowsPath(place).name or None if place else None
