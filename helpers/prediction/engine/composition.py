"""A model put together in memory from a checkpoint and its bases, with the accounting of a conversion."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoTokenizer

from helpers.checkpoints.convert.base_models import NOTHING
from helpers.checkpoints.convert.export import check_changes, counterparts, plan_conversion, write_code_and_config
from helpers.checkpoints.convert.plan import ConversionPlan
from helpers.checkpoints.convert.request import ConversionRequest, open_sources
from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.checkpoints.convert.weights import Weights, fingerprint, raw_bytes
from helpers.core.progress import track
from helpers.core.vocabulary import Quantization
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.prediction.engine.materialize import fill, without_values
from helpers.prediction.engine.memory_estimate import require_memory
from helpers.prediction.engine.model_loading import ModelIdentity, choose_device, choose_dtype, files_fingerprint

__all__ = ["NOTHING", "Composed", "compose"]


class Composed(NamedTuple):
    """A model in evaluation mode on its device, its tokenizer, and the fields of its `ModelIdentity`."""

    model: Sa2VAModel
    tokenizer: Any
    identity: Mapping[str, Any]


def compose(
    checkpoint: Path,
    base: Path | None = None,
    sam2: Path | None = None,
    *,
    sam2_config: str | None = None,
    train_config: Path | None = None,
    lora_alpha: float | None = None,
    template: str | None = None,
    pretrained: Path | str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    quantization: Quantization | None = None,
) -> Composed:
    """The model that `convert` would write for the same sources and main dtype, without writing its weights.

    The identity's fingerprint is the `tensors_sha256` of that conversion.

    Args:
        checkpoint, base, sam2, sam2_config, train_config, lora_alpha, template, pretrained: see `ConversionRequest`.
        device, dtype: see `choose_device` and `choose_dtype`.
        quantization: of the language model's weights; None leaves them in the dtype.
    Raises:
        UsageProblem: where there is too little memory.
        UsageProblem, RefusedInput: as `convert`.
    """
    chosen = choose_device(device)
    chosen_dtype = choose_dtype(dtype, chosen)
    torch_dtype = chosen_dtype.main
    name = str(torch_dtype).removeprefix("torch.")
    request = ConversionRequest(
        Path(checkpoint), None, base, sam2, sam2_config, train_config, lora_alpha, template, name, pretrained=pretrained
    )
    sources = open_sources(request)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        facts = write_tokenizer(sources.tokenizer_folder, folder, sources.special_tokens, sources.family)
        weights = Weights(sources.opened, torch_dtype)
        plan, config, _ = plan_conversion(sources, facts, weights, name)
        write_code_and_config(folder, config)
        tokenizer = AutoTokenizer.from_pretrained(temporary, local_files_only=True, trust_remote_code=True)
        files = files_fingerprint(folder)
    require_memory({target.name: target.shape for target in plan.targets}, chosen, torch_dtype, quantization)
    model = without_values(lambda: Sa2VAModel._from_config(config, dtype=torch_dtype))
    filling = _Filling(plan, weights, torch_dtype)
    fill(model, filling, chosen, chosen_dtype, quantization)
    return Composed(model, tokenizer, asdict(ModelIdentity(Path(checkpoint).name, filling.fingerprint(), files)))


class _Filling:
    """Name and tensor of every target of a plan, and the fingerprint of all once they were taken."""

    def __init__(self, plan: ConversionPlan, weights: Weights, dtype: torch.dtype):
        self._plan = plan
        self._weights = weights
        self._dtype = dtype
        self._digests: dict[str, str] = {}

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        changes = counterparts(self._plan)
        for target in track(self._plan.targets, "composing", unit="tensor"):
            tensor = torch.empty(target.shape, dtype=self._dtype)
            digest, start = hashlib.sha256(), 0
            for block in self._weights.blocks(target, changes.get(target.name)):
                digest.update(raw_bytes(block))
                tensor[start : start + len(block)].copy_(block)
                start += len(block)
            self._digests[target.name] = digest.hexdigest()
            yield target.name, tensor
        check_changes(self._plan, changes)

    def fingerprint(self) -> str:
        """As a conversion records it."""
        return fingerprint(self._digests, {target.name: target.shape for target in self._plan.targets}, self._dtype)
