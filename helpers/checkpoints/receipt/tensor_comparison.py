"""The tensors of an official model, as a receipt has them, against those of a model folder."""

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import torch

from helpers.checkpoints.convert.conversion_record import ConversionRecord
from helpers.checkpoints.convert.key_map import AttentionHeads, LoraName, TensorPlace, canonical_name, places
from helpers.checkpoints.read.tensor_groups import TensorGroup, group_of
from helpers.checkpoints.receipt.receipt_file import Fingerprint, Receipt
from helpers.checkpoints.receipt.receipt_script import fingerprint
from helpers.core.progress import track
from helpers.core.shown_text import agreeing, counted

# Relative difference of two tensors that count as the same. Both are rounded to bfloat16 first: what is left are values
# that a merge of LoRA computed in another order, of which few fall to the other side.
_TOLERANCE = 1e-4
# Through float16, which rounds first, one value in 16 does so, and in a short tensor that may be more.
_FLOAT16_TOLERANCE, _FLOAT16_SHORT, _SHORT = 2e-3, 1e-2, 4096
# A change of a weight by a small part r of its norm turns at least 2 ** 7 * r of its values to another bfloat16, since
# these have 8 bits; what is left of the change is then at least r * sqrt(2 ** 8 * r) of the norm.
_TURNED, _LEFT = 2.0**7, 2.0**8
_CERTAIN = 16  # values of which one at least turns
_SAFETY = 2  # over the tolerance: distances are estimates

_HEAD, _EMBEDDINGS = "language_model.lm_head.weight", "language_model.model.embed_tokens.weight"
_FREQUENCIES = "rotary_emb.inv_freq"  # computed from the config, but stored by some models
_MERGED, _BASES = "merged", ("base", "sam2", "pretrained")


class Cause(StrEnum):
    """Why tensors differ."""

    OTHER_MODEL = "other_model"
    BASE = "base"
    UNMERGED = "unmerged"
    LORA = "lora"
    LINEAR = "linear"
    CHECKPOINT = "checkpoint"

    @property
    def words(self) -> str:
        """For a person."""
        return _CAUSES[self]


_CAUSES = {
    Cause.OTHER_MODEL: "another model: one of the two lacks tensors, or has some of other shapes",
    Cause.BASE: "another base: tensors differ that came from --base, --sam2 or --pretrained",
    Cause.UNMERGED: "an unmerged LoRA: the weights that differ are the base's in the official model, whose files lack "
    "the adapters, or which has them switched off",
    Cause.LORA: "another LoRA: only weights that LoRA changes differ, and they are not the base's. Another alpha, or "
    "another adapter",
    Cause.LINEAR: "an unmerged LoRA or another one: the linear layers of the language model alone differ",
    Cause.CHECKPOINT: "another checkpoint: tensors differ that training wrote as they are",
}


@dataclass(frozen=True)
class TensorComparison:
    """How the tensors of two models stand to each other.

    Attributes:
        equal: number of tensors with equal values, rounded to bfloat16 where the dtypes differ.
        close: number of others within the tolerance.
        tolerance: largest relative difference that counts as the same; of short tensors in float16 more.
        different: relative difference of each other tensor, by its official name; infinity for another shape.
        missing: tensors of the folder that the official model lacks. strays: its own that the folder has no place for.
        cause: why they differ; None where they do not.
        resolution: from which change on a weight of the language model's layers would be found to differ, over its
            norm: the largest of all such weights; 0 where their bytes are equal.
        adapters: number of weights that LoRA changes. told: of these, which a model without LoRA would differ in.
    """

    equal: int
    close: int
    tolerance: float
    different: Mapping[str, float]
    missing: Sequence[str]
    strays: Sequence[str]
    cause: Cause | None
    resolution: float = 0.0
    adapters: int = 0
    told: int = 0

    @property
    def ok(self) -> bool:
        return self.cause is None

    @property
    def is_blind(self) -> bool:
        """Whether the official model would count as the same without its LoRA, or with another one as small."""
        return self.ok and self.adapters > 0 and self.told == 0

    def limit_text(self) -> str:
        """What the comparison can tell, for a person."""
        least = f"a change of a layer's weight from {self.resolution:.1g} of its norm on" if self.resolution else ""
        told = f"what LoRA changes, in {self.told} of {self.adapters} weights" if self.adapters else ""
        return "would be told: " + ("; ".join(filter(None, (least, told))) or "any change of a layer's weight")

    def to_text(self) -> str:
        """For a person, one line."""
        total = self.equal + self.close + len(self.different) + len(self.missing)
        said = f"{self.equal} of {counted(total, 'tensor')} {agreeing(self.equal, 'is', 'are')} equal"
        if self.close:
            said += f", {self.close} differ by less than {self.tolerance:g} of their norm"
        if self.cause is None:
            return said
        parts = Counter(group_of(name).value for name in [*self.different, *self.missing])
        listed = ", ".join(f"{part} {count}" for part, count in parts.items())
        strays = f"; {len(self.strays)} have no place in the folder (first {self.strays[0]})" if self.strays else ""
        return f"{said}; different or missing: {listed or 'none'}{strays}: {self.cause.words}"


class Reader(Protocol):
    """An opened model folder: its config.json and its tensors."""

    @property
    def config(self) -> Mapping[str, Any] | None: ...

    @property
    def tensors(self) -> Mapping[str, Any]: ...

    def read(self, name: str) -> torch.Tensor: ...


def official_places(name: str, folder: Reader) -> tuple[TensorPlace, ...]:
    """Where a model folder holds a tensor of the official model, by its canonical name; empty where it does not."""
    text = (folder.config or {}).get("text_config", {})
    heads = AttentionHeads(text["num_attention_heads"], text["num_key_value_heads"])
    found = places(name, heads)
    if name == _HEAD and _HEAD not in folder.tensors:  # tied: the folder holds the one matrix once
        found = places(_EMBEDDINGS)
    return found if all(place.target in folder.tensors for place in found) else ()


def official_tensor(found: Sequence[TensorPlace], folder: Reader) -> torch.Tensor:
    """A tensor of the official model in its own shape, out of its places in a model folder."""
    wanted = sorted(found, key=lambda place: place.part) if found[0].parts > 1 else found[:1]  # others are copies
    rows = [folder.read(place.target).chunk(place.positions)[place.position] for place in wanted]
    return torch.cat(rows) if len(rows) > 1 else rows[0]


def compare_tensors(receipt: Receipt, folder: Reader, record: ConversionRecord) -> TensorComparison:
    """Compare every tensor of a model folder with the official model's.

    Args:
        record: of the conversion that wrote the folder.
    """
    half = "float16" in (receipt.dtype, record.values["dtype"])
    tolerance = _FLOAT16_TOLERANCE if half else _TOLERANCE
    equal, close = 0, 0
    strays: list[str] = []
    covered: set[str] = set()
    apart: list[_Apart] = []
    changes = _adapter_changes(record)
    resolution, adapters, told = 0.0, 0, 0
    for stored, official in track(
        receipt.tensors.items(), "comparing tensors", total=len(receipt.tensors), unit="tensor"
    ):
        name = canonical_name(stored)
        found_at = () if isinstance(name, LoraName) else official_places(name, folder)
        if isinstance(name, LoraName) or not found_at:
            if not stored.endswith(_FREQUENCIES):
                strays.append(stored)
            continue
        targets = tuple(dict.fromkeys(place.target for place in found_at))
        covered.update(targets)
        tensor = official_tensor(found_at, folder)
        ours = Fingerprint.of(*fingerprint(tensor))
        found = _Apart(name, targets, official, official.distance(ours), official.relative(ours))
        allowed = _FLOAT16_SHORT if half and tensor.numel() < _SHORT else tolerance
        if official.equals(ours):
            equal += 1
        elif found.relative <= allowed:
            close += 1
        else:
            apart.append(found)
            continue
        least = _resolution(official, ours, allowed)
        if is_layer_weight(name):
            resolution = max(resolution, least)
        change = _relative_change(targets, changes)
        if change:
            adapters += 1
            told += change > least
    missing = sorted(set(folder.tensors) - covered)
    cause = None
    if missing or strays or any(math.isinf(found.relative) for found in apart):
        cause = Cause.OTHER_MODEL
    elif apart:
        cause = _cause(apart, record)
    different = {found.name: found.relative for found in apart}
    return TensorComparison(equal, close, tolerance, different, missing, strays, cause, resolution, adapters, told)


def is_layer_weight(name: str) -> bool:
    """Whether a canonical name is that of a weight that LoRA may change in a layer of the language model."""
    return group_of(name) is TensorGroup.LANGUAGE_MODEL and name.endswith(".weight") and "norm" not in name


def _resolution(official: Fingerprint, ours: Fingerprint, allowed: float) -> float:
    """From which relative change on a tensor that counts as the same would not."""
    if official.same_bytes(ours):
        return 0.0
    if official.equals(ours):
        return _CERTAIN / (_TURNED * max(math.prod(official.shape), 1))
    least = _SAFETY * allowed
    return least if least * _LEFT >= 1 else (least**2 / _LEFT) ** (1 / 3)


def _adapter_changes(record: ConversionRecord) -> dict[str, Mapping[str, Any]]:
    """Norms of what LoRA changes and of the weight beneath, by target."""
    merged = {target["name"] for target in record.values["targets"] if target["origin"] == _MERGED}
    return {change["target"]: change for change in record.values["changes"] if change["target"] in merged}


def _relative_change(targets: Sequence[str], changes: Mapping[str, Mapping[str, Any]]) -> float:
    """Norm of what LoRA changes in a tensor over that of the weight beneath; 0 where it changes nothing."""
    parts = [changes[target] for target in targets if target in changes]
    change = math.hypot(*(part["change_norm"] for part in parts))
    return change and change / max(math.hypot(*(part["base_norm"] for part in parts)), sys.float_info.min)


@dataclass(frozen=True)
class _Apart:
    """A tensor that differs.

    Attributes:
        name: canonical. targets: its places in the folder.
        official: what the receipt has of it.
        distance: estimate of the norm of the difference. relative: over the official norm.
    """

    name: str
    targets: tuple[str, ...]
    official: Fingerprint
    distance: float
    relative: float


def _cause(apart: Sequence[_Apart], record: ConversionRecord) -> Cause:
    """Why values differ, told from where the conversion took them."""
    origin = {target["name"]: target["origin"] for target in record.values["targets"]}
    origins = [{origin.get(target) for target in found.targets} for found in apart]
    if any(found & set(_BASES) for found in origins):
        return Cause.BASE
    if all(_MERGED in found for found in origins):
        return _cause_by_norms(apart, record)
    return Cause.LINEAR if all(is_layer_weight(found.name) for found in apart) else Cause.CHECKPOINT


def _cause_by_norms(apart: Sequence[_Apart], record: ConversionRecord) -> Cause:
    """Whether weights that LoRA changes are the base's in the official model.

    The record has the norm of each base weight and that of its change. A model without the adapters has the norms of
    the base, and is as far from the folder as the change; of the latter all layers together tell, for it is estimated.
    """
    changes = {change["target"]: change for change in record.values["changes"]}
    squares, distance = 0.0, 0.0
    for found in apart:
        parts = [changes[target] for target in found.targets if target in changes]
        if len(parts) < len(found.targets):
            return Cause.LORA
        base = math.hypot(*(part["base_norm"] for part in parts))
        # Rounding the base to bfloat16 moves its norm by chance, the less the more values there are.
        allowed = 1e-6 + 8e-3 / math.sqrt(math.prod(found.official.shape))
        if abs(found.official.norm / base - 1) > allowed:
            return Cause.LORA
        squares += sum(part["change_norm"] ** 2 for part in parts)
        distance += found.distance**2
    # A LoRA that was not trained changes nothing: without it the model would not differ.
    return Cause.UNMERGED if squares and 0.5 <= distance / squares <= 2 else Cause.LORA
