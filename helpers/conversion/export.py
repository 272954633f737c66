"""The conversion itself: plan, write, check, record."""

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from tqdm import tqdm
from transformers.dynamic_module_utils import custom_object_save

from helpers.atomic import partial_folder, require_free_space
from helpers.checkpoint.digest import sha256_file
from helpers.conversion.fit import require_base_fits
from helpers.conversion.model_config import native_config, target_shapes, ties_head
from helpers.conversion.plan import EMBEDDINGS, Plan, make_plan
from helpers.conversion.record import RECORD_NAME, ConversionRecord, InputFile, build_values, read_record
from helpers.conversion.request import ConversionRequest, Sources, open_sources, require_embedding_rows
from helpers.conversion.shards import (
    Shard,
    WrittenFile,
    fingerprint,
    index_json,
    lay_out,
    tensor_bytes,
    write_shard,
)
from helpers.conversion.ties import decide_tie, find_stored
from helpers.conversion.tokenizer import TokenizerFacts, write_tokenizer
from helpers.conversion.weights import Change, Weights
from helpers.errors import RefusedInput
from helpers.sa2va.configuration_sa2va import Sa2VAConfig
from helpers.sa2va.modeling_sa2va import Sa2VAModel

_log = logging.getLogger(__name__)


def convert(request: ConversionRequest) -> ConversionRecord:
    """Write a self-contained HuggingFace folder from a checkpoint and its bases.

    Everything that can be refused from names, shapes and settings is refused before a weight is read. The folder
    appears under its name only when it is complete.

    Raises:
        UsageProblem, RefusedInput: see `open_sources`, `make_plan` and `check_changes`.
    """
    sources = open_sources(request)
    dtype = getattr(torch, request.dtype)
    with partial_folder(request.output) as folder:
        tokenizer = write_tokenizer(sources.folder, folder, sources.special_tokens)
        weights = Weights(sources.opened, dtype)
        plan, config, notes = plan_conversion(sources, tokenizer, weights, request.dtype)
        sizes = {target.name: tensor_bytes(target.shape, dtype) for target in plan.targets}
        require_free_space(folder, sum(sizes.values()) + 100_000_000, "the exported weights")
        inputs = _hash_inputs(sources)
        write_code_and_config(folder, config)
        shards = lay_out(sizes, request.shard_bytes)
        files, digests, changes = _write_weights(folder, shards, plan, weights, dtype)
        if len(shards) > 1:
            _write_json(folder / "model.safetensors.index.json", index_json(shards, sum(sizes.values())))
        check_changes(plan, changes)
        total = fingerprint(digests, {target.name: target.shape for target in plan.targets}, dtype)
        _check_siblings(request.output, total, inputs)
        outputs = {file.name: {"sha256": file.sha256, "bytes": file.nbytes} for file in files}
        for path in sorted(folder.iterdir()):
            if path.name not in outputs:
                outputs[path.name] = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
        values = build_values(
            plan,
            changes=changes,
            inputs=inputs,
            outputs=outputs,
            settings=sources.settings,
            notes=[*sources.notes, *notes],
            dtype=request.dtype,
            total_bytes=sum(sizes.values()),
            digests=digests,
            fingerprint=total,
        )
        _write_json(folder / RECORD_NAME, values)
    return ConversionRecord(request.output, values)


def plan_conversion(
    sources: Sources, tokenizer: TokenizerFacts, weights: Weights, dtype: str
) -> tuple[Plan, Sa2VAConfig, list[str]]:
    """Account for every tensor, from names and shapes (and, where a base ties its head, the two trained tensors).

    Returns:
        The plan, the configuration of the export, and notes for the record.
    """
    shapes = {role: {n: t.shape for n, t in source.tensors.items()} for role, source in sources.opened.items()}
    official = sources.official
    require_base_fits(sources)
    stored = find_stored(sources)
    rows_of = stored.get(EMBEDDINGS)
    if rows_of is not None:
        rows = sources.opened[rows_of[0]].tensors[rows_of[1]].shape[0]
        require_embedding_rows(sources, rows, tokenizer.length, tokenizer.ids["[SEG]"])
    tied, notes = decide_tie(sources, ties_head(official), stored, weights)
    config = native_config(
        official,
        sources.folder / "config.json",
        sources.sam2_sizes.to_dict(),
        sources.template,
        sources.special_tokens,
        tokenizer,
        tied,
        dtype,
    )
    plan = make_plan(
        shapes,
        target_shapes(config),
        native=sources.native,
        lora_alpha=sources.lora_alpha,
        rank_stabilised=sources.rank_stabilised,
        tied=tied,
    )
    return plan, config, notes


def write_code_and_config(folder: Path, config: Sa2VAConfig) -> None:
    """Copy the model's code files beside the weights and write config.json, which names them in its auto_map."""
    with torch.device("meta"):
        model = Sa2VAModel(config)
    custom_object_save(config, folder, config=config)
    custom_object_save(model, folder, config=config)
    config.auto_map["AutoModelForCausalLM"] = config.auto_map["AutoModel"]
    _write_json(folder / "config.json", json.loads(config.to_json_string(use_diff=False)))


def check_changes(plan: Plan, changes: Mapping[str, Change]) -> None:
    """Stop where training left no trace: the export would be the base under another name.

    Raises:
        RefusedInput: where every LoRA change is zero, or every tensor with a base counterpart equals it.
    """
    merged = [target.name for target in plan.targets if target.lora]
    if merged and all(changes[name].change_norm == 0 for name in merged):
        raise RefusedInput(
            f"the merged model is identical to its base: all {len(merged)} LoRA changes are zero. The checkpoint was "
            "saved before training changed it, or the wrong file was given"
        )
    if changes and all(change.change_norm == 0 for change in changes.values()):
        raise RefusedInput(
            f"the converted model is identical to its base: none of {len(changes)} trained tensors differs from it. "
            "The checkpoint was saved before training changed it, or the base is itself this fine-tune"
        )


def _hash_inputs(sources: Sources) -> list[InputFile]:
    inputs = []
    for role, source in sources.opened.items():
        for path in source.files:
            _log.info("hashing %s", path.name)
            inputs.append(InputFile(role.value, path.name, sha256_file(path), path.stat().st_size))
    return inputs


def _write_weights(
    folder: Path, shards: tuple[Shard, ...], plan: Plan, weights: Weights, dtype: torch.dtype
) -> tuple[list[WrittenFile], dict[str, str], dict[str, Change]]:
    """Write all shards; returns the files, each tensor's hash, and each counterpart's change."""
    targets = {target.name: target for target in plan.targets}
    changes = {target.name: Change() for target in plan.targets if target.base_rows is not None}
    files, digests = [], {}
    with tqdm(total=len(targets), unit="tensor", desc="converting", disable=None) as bar:

        def blocks(names: tuple[str, ...]) -> Iterator[tuple[str, Iterator[torch.Tensor]]]:
            for name in names:
                yield name, weights.blocks(targets[name], changes.get(name))
                bar.update()

        for shard in shards:
            shapes = {name: targets[name].shape for name in shard.tensors}
            file, hashes = write_shard(folder / shard.name, shapes, dtype, blocks(shard.tensors))
            files.append(file)
            digests.update(hashes)
    return files, digests, changes


def _check_siblings(output: Path, total: str, inputs: list[InputFile]) -> None:
    """Stop where a folder beside the output holds the same tensors from another checkpoint: one of them is stale."""
    checkpoint = {found.sha256 for found in inputs if found.role == "checkpoint"}
    if not output.parent.is_dir():
        return
    for path in sorted(output.parent.iterdir()):
        if path == output or path.name.startswith(".") or not (path / RECORD_NAME).is_file():
            continue
        earlier = read_record(path).values
        theirs = {found["sha256"] for found in earlier["inputs"] if found["role"] == "checkpoint"}
        if earlier["tensors_sha256"] == total and theirs != checkpoint:
            raise RefusedInput(
                f"the tensors are identical to those of {path.name}, which was converted from another checkpoint; one "
                "of the two exports does not hold what its checkpoint trained. Check which file was given"
            )


def _write_json(path: Path, values) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
