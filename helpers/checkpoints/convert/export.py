"""The conversion itself: plan, write, check, record."""

import copy
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from transformers.dynamic_module_utils import custom_object_save

from helpers.checkpoints.convert.base_fit import (
    require_base_fits,
    require_own_pixels,
    require_trained_beside,
    require_whole_checkpoint,
    vision_lora_notes,
)
from helpers.checkpoints.convert.base_models import PRETRAINED, missing_pretrained, pretrained_notes
from helpers.checkpoints.convert.conversion_record import (
    RECORD_NAME,
    ConversionRecord,
    InputFile,
    build_values,
    read_record,
)
from helpers.checkpoints.convert.embeddings import decide_tie, find_stored, require_embeddings
from helpers.checkpoints.convert.model_card import card_text
from helpers.checkpoints.convert.model_config import (
    attention_heads,
    native_model,
    require_fields,
    ties_head,
)
from helpers.checkpoints.convert.plan import ConversionPlan, Fate, SourceRole
from helpers.checkpoints.convert.planning import make_plan
from helpers.checkpoints.convert.request import ConversionRequest, Sources, open_sources
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts, tokenizer_files, write_tokenizer
from helpers.checkpoints.convert.weights import (
    TensorChange,
    Weights,
    WeightShard,
    WrittenFile,
    fingerprint,
    index_json,
    lay_out,
    tensor_bytes,
    write_shard,
)
from helpers.checkpoints.read.file_digest import sha256_file, sha256_files
from helpers.checkpoints.read.file_type import ADAPTER_CONFIG
from helpers.checkpoints.read.weight_source import TensorSource
from helpers.core.atomic import partial_folder, require_free_space
from helpers.core.card_parts import CARD_NAME
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.progress import Bar
from helpers.model.configuration_sa2va import Sa2VAConfig
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.model.segmentation_pipeline import PIPELINES

_log = logging.getLogger(__name__)


def convert(request: ConversionRequest) -> ConversionRecord:
    """Write a self-contained HuggingFace folder from a checkpoint and its bases.

    Everything that can be refused from names, shapes and settings is refused before a weight is read. The folder
    appears under its name only when it is complete.

    Raises:
        UsageProblem, RefusedInput: see `open_sources`, `make_plan` and `check_changes`.
    """
    output = request.output
    if output is None:
        raise UsageProblem("output: expected a folder to write the export to, got none. Name one")
    sources = open_sources(request)
    siblings = _read_siblings(output)
    dtype = getattr(torch, request.dtype)
    with partial_folder(output) as folder:
        tokenizer = write_tokenizer(sources.tokenizer_folder, folder, sources.special_tokens, sources.family)
        weights = Weights(sources.opened, dtype)
        plan, config, notes = plan_conversion(sources, tokenizer, weights, request.dtype)
        sizes = {target.name: tensor_bytes(target.shape, dtype) for target in plan.targets}
        require_free_space(folder, sum(sizes.values()) + 100_000_000, "the exported weights")
        inputs = hash_inputs(sources)
        write_code_and_config(folder, config)
        shards = lay_out(sizes, request.shard_bytes)
        files, digests, changes = _write_weights(folder, shards, plan, weights, dtype)
        if len(shards) > 1:
            _write_json(folder / "model.safetensors.index.json", index_json(shards, sum(sizes.values())))
        check_changes(plan, changes)
        total = fingerprint(digests, {target.name: target.shape for target in plan.targets}, dtype)
        _check_siblings(siblings, total, inputs)
        outputs = {file.name: {"sha256": file.sha256, "bytes": file.nbytes} for file in files}
        for path in sorted(folder.iterdir()):
            if path.name not in outputs:  # small ones: shards were hashed while they were written
                outputs[path.name] = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
        values = build_values(
            plan,
            changes=changes,
            inputs=inputs,
            outputs=outputs,
            settings=sources.settings,
            notes=[*sources.notes, *notes],
            left_aside={role.value: dict(source.ignored) for role, source in sources.opened.items()},
            dtype=request.dtype,
            total_bytes=sum(sizes.values()),
            digests=digests,
            fingerprint=total,
        )
        card = card_text(
            output.name, values, config.to_dict(), sources.opened[SourceRole.CHECKPOINT].meta, sources.run.governing
        )
        (folder / CARD_NAME).write_text(card, encoding="utf-8")  # not among the outputs: people write in it
        _write_json(folder / RECORD_NAME, values)
    return ConversionRecord(output, values)


def plan_conversion(
    sources: Sources, tokenizer: TokenizerFacts, weights: Weights, dtype: str
) -> tuple[ConversionPlan, Sa2VAConfig, list[str]]:
    """Account for every tensor, from names and shapes (and, where a base ties its head, the two trained tensors).

    Returns:
        The plan, the configuration of the export, and notes for the record.
    """
    shapes = {role: {n: t.shape for n, t in source.tensors.items()} for role, source in sources.opened.items()}
    official = sources.official
    require_fields(official, sources.folder / "config.json")
    require_base_fits(sources)
    require_whole_checkpoint(sources)
    stored = find_stored(sources)
    rows, row_notes = require_embeddings(sources, stored, tokenizer)
    require_trained_beside(sources)
    tied, notes = decide_tie(sources, ties_head(official), stored, weights, sources.family.ties_head)
    config, targets = native_model(
        official,
        sources.folder / "config.json",
        sources.sam2_sizes.to_dict(),
        sources.template,
        sources.special_tokens,
        tokenizer,
        tied,
        dtype,
        rows,
    )
    require_own_pixels(sources.folder, config)
    plan = make_plan(
        shapes,
        targets,
        native=sources.native,
        scales=sources.scales,
        tied=tied,
        names={role: source.path.name for role, source in sources.opened.items()},
        heads=attention_heads(config),
    )
    require_pretrained(sources, plan)
    require_floats(sources.opened, plan)
    notes = [*tokenizer.notes, *row_notes, *notes]
    return plan, config, [*notes, *vision_lora_notes(sources), *pretrained_notes(sources.opened, plan)]


def require_floats(opened: Mapping[SourceRole, TensorSource], plan: ConversionPlan) -> None:
    """Stop where whole numbers would fill weights: quantised ones mean nothing without their scales.

    Raises:
        RefusedInput: naming the first such tensor.
    """
    taken = (Fate.USED, Fate.MERGED, Fate.TIED)
    for role, source in opened.items():
        fates = ((name, one.fate) for name, one in plan.fates[role].items())
        for name in (name for name, fate in fates if fate in taken):
            dtype = source.tensors[name].dtype
            if not dtype.is_floating_point:
                raise RefusedInput(
                    f"{source.path.name}: expected weights in floating point, found {dtype} in {name}: quantised, or "
                    "cut to whole numbers. Give the checkpoint as training wrote it, before any quantisation"
                )


def require_pretrained(sources: Sources, plan: ConversionPlan) -> None:
    """Stop where the training config names a Sa2VA that was not given, and the plan takes what it would hold elsewhere.

    Raises:
        UsageProblem, RefusedInput: see `missing_pretrained`.
    """
    problem = None
    if PRETRAINED not in sources.settings:
        problem = missing_pretrained(sources.run, sources.opened.get(SourceRole.BASE))
    if problem is not None and any(
        part.role is not SourceRole.CHECKPOINT for target in plan.targets for part in target.rows
    ):
        raise problem


def write_code_and_config(folder: Path, config: Sa2VAConfig) -> None:
    """Copy the model's code files beside the weights and write config.json, which names them."""
    # Of the model its class alone is looked at; to build one of a published size takes seconds.
    for described in (config, Sa2VAModel.__new__(Sa2VAModel)):
        custom_object_save(described, folder, config=config)  # type: ignore[arg-type]  # a dict, it says; it takes this
    config.auto_map["AutoModelForCausalLM"] = config.auto_map["AutoModel"]
    config.custom_pipelines = copy.deepcopy(PIPELINES)  # transformers puts classes in
    _write_json(folder / "config.json", json.loads(config.to_json_string(use_diff=False)))


def check_changes(plan: ConversionPlan, changes: Mapping[str, TensorChange]) -> None:
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
    # SAM2 is left out: its counterpart may come from a file of its own.
    apart = set(merged)
    replaced = [name for name in changes if name not in apart and not name.startswith("sam2.")]
    if merged and replaced and all(changes[name].change_norm == 0 for name in replaced):
        raise RefusedInput(
            "the base already holds this fine-tune: the trained tensors that replace one of the base "
            f"({len(replaced)}) are equal to it, so its LoRA would be merged a second time. Pass the base that the run "
            "started from"
        )
    if changes and all(change.change_norm == 0 for change in changes.values()):
        raise RefusedInput(
            f"the converted model is identical to its base: no trained tensor differs from it ({len(changes)} "
            "compared). The checkpoint was saved before training changed it, or the base is itself this fine-tune"
        )


def counterparts(plan: ConversionPlan) -> dict[str, TensorChange]:
    """A change to be measured for every target that has a counterpart in the bases."""
    return {target.name: TensorChange() for target in plan.targets if target.base_rows is not None}


def hash_inputs(sources: Sources) -> list[InputFile]:
    """Every file that decided the export: weights, config and tokenizer, training config, SAM2 sizes."""
    files = [(role.value, path) for role, source in sources.opened.items() for path in source.files]
    files += [("config", sources.folder / "config.json")]
    if sources.opened[SourceRole.CHECKPOINT].adapter is not None:
        files += [(Path(ADAPTER_CONFIG).stem, sources.opened[SourceRole.CHECKPOINT].path / ADAPTER_CONFIG)]
    files += [("tokenizer", path) for path in tokenizer_files(sources.tokenizer_folder)]
    files += [(role, path) for role, path in sources.text_files.items()]
    digests = sha256_files([path for _, path in files], "hashing the sources")
    return [
        InputFile(role, path.name, digest, path.stat().st_size)
        for (role, path), digest in zip(files, digests, strict=True)
    ]


def _write_weights(
    folder: Path, shards: tuple[WeightShard, ...], plan: ConversionPlan, weights: Weights, dtype: torch.dtype
) -> tuple[list[WrittenFile], dict[str, str], dict[str, TensorChange]]:
    """Write all shards; returns the files, each tensor's hash, and each counterpart's change."""
    targets = {target.name: target for target in plan.targets}
    changes = counterparts(plan)
    files, digests = [], {}
    with Bar("converting", len(targets), unit="tensor") as bar:

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


def _read_siblings(output: Path) -> list[ConversionRecord]:
    """The records of earlier conversions in the output's parent folder; an unreadable one is skipped."""
    records = []
    for path in sorted(output.parent.glob(f"*/{RECORD_NAME}")):
        if path.parent.name.startswith("."):
            continue
        try:
            records.append(read_record(path.parent))
        except RefusedInput as error:
            _log.warning("not compared with an earlier conversion: %s", error)
    return records


def _check_siblings(siblings: list[ConversionRecord], total: str, inputs: list[InputFile]) -> None:
    """Stop where a folder beside the output holds the same tensors from another checkpoint: one of them is stale."""
    checkpoint = {found.sha256 for found in inputs if found.role == "checkpoint"}
    for earlier in siblings:
        theirs = {found["sha256"] for found in earlier.values["inputs"] if found["role"] == "checkpoint"}
        if earlier.values["tensors_sha256"] == total and theirs != checkpoint:
            raise RefusedInput(
                f"the tensors are identical to those of {earlier.folder.name}, which was converted from another "
                "checkpoint; one of the two does not hold what its checkpoint trained. Check which file was given"
            )


def _write_json(path: Path, values) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
