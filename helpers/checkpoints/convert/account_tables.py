"""A conversion's account as pandas tables, for notebooks and reports.

Sizes are in bytes, `MB` in 10^6 bytes. Norms are Frobenius norms over the rows that model and base both have.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from helpers.checkpoints.convert.conversion_record import ConversionRecord, shown_value
from helpers.checkpoints.read.inspection import CheckpointInspection
from helpers.checkpoints.read.training_folder import TrainingCheckpoint
from helpers.checkpoints.read.weight_source import empty_text

_LAYER = re.compile(r"language_model\.model\.layers\.(\d+)\.(?:\w+\.)*?(\w+)\.(?:weight|bias)\Z")
_HASH_SHOWN = 12


def group_table(inspection: CheckpointInspection) -> pd.DataFrame:
    """What a checkpoint holds: group, tensors, dtypes, parameters, MB; a row for each part of the model."""
    rows = [
        {
            "group": found.group.value,
            "tensors": found.tensors,
            "dtypes": ", ".join(found.dtypes),
            "parameters": found.parameters,
            "MB": _megabytes(found.nbytes),
        }
        for found in inspection.groups
    ]
    return _table(rows, ("group", "tensors", "dtypes", "parameters", "MB"))


def fact_table(inspection: CheckpointInspection) -> pd.DataFrame:
    """Kind, files and their hashes, iteration, LoRA, and what the training config says: fact, value."""
    facts: list[tuple[str, object]] = [("kind", inspection.kind.value)]
    facts += [("file", name) for name in inspection.file_bytes]
    facts += [(f"sha256 of {name}", digest) for name, digest in inspection.sha256.items()]
    if inspection.meta is not None:
        facts += [("iteration", inspection.meta.iter), ("epoch", inspection.meta.epoch)]
        facts += [("experiment", inspection.meta.experiment_name), ("saved", inspection.meta.time)]
    facts.append(("LoRA rank", ", ".join(map(str, inspection.lora_ranks)) or "no LoRA"))
    config = inspection.config
    if config is not None:
        facts += [("LoRA alpha", config.lora_alpha), ("template", config.template)]
        facts.append(("special tokens", " ".join(config.special_tokens or ()) or None))
    if inspection.config_problem is not None:
        facts.append(("training config", f"not read: {inspection.config_problem}"))
    facts.append(("vocabulary", inspection.vocabulary_size))
    if inspection.empty_tensors:
        facts.append(("empty tensors", empty_text(inspection.empty_tensors, inspection.tensors)))
    rows = [{"fact": name, "value": "unknown" if value is None else str(value)} for name, value in facts]
    return _table(rows, ("fact", "value"))


def checkpoint_table(checkpoints: Iterable[TrainingCheckpoint]) -> pd.DataFrame:
    """The checkpoints of a training folder: checkpoint, MB (missing for a folder), and which is marked last."""
    rows = [
        {
            "checkpoint": found.path.name,
            "MB": None if found.size is None else _megabytes(found.size),
            "last": "yes" if found.is_last else "",
        }
        for found in checkpoints
    ]
    return _table(rows, ("checkpoint", "MB", "last"))


def origin_table(record: ConversionRecord) -> pd.DataFrame:
    """Targets by origin: origin, tensors, parameters, share (of all parameters, 0 .. 1), parts; the largest first."""
    targets = pd.DataFrame(
        [
            {"origin": target["origin"], "part": part_of(target["name"]), "parameters": math.prod(target["shape"])}
            for target in record.values["targets"]
        ]
    )
    groups = targets.groupby("origin")
    found = groups.agg(
        tensors=("part", "size"),
        parameters=("parameters", "sum"),
        parts=("part", lambda parts: ", ".join(dict.fromkeys(parts))),
    )
    found.insert(2, "share", (found["parameters"] / found["parameters"].sum()).round(4))
    return found.sort_values("parameters", ascending=False).reset_index()


def fate_table(record: ConversionRecord) -> pd.DataFrame:
    """Source tensors by role and fate: source, fate, tensors, example (one of the names)."""
    rows = []
    for role, fates in record.values["sources"].items():
        by_fate: dict[str, list[str]] = {}
        for name, entry in fates.items():
            by_fate.setdefault(entry["fate"], []).append(name)
        rows += [
            {"source": role, "fate": fate, "tensors": len(names), "example": names[0]}
            for fate, names in by_fate.items()
        ]
    return _table(rows, ("source", "fate", "tensors", "example"))


def setting_table(record: ConversionRecord) -> pd.DataFrame:
    """Settings with their sources: setting, value, source, overrides (what other sources said)."""
    rows = [
        {
            "setting": name,
            "value": shown_value(setting["value"]),
            "source": setting["source"] or "no source",
            "overrides": "; ".join(
                f"{shown_value(other['value'])} from {other['source']}" for other in setting["overrides"]
            ),
        }
        for name, setting in record.values["settings"].items()
    ]
    return _table(rows, ("setting", "value", "source", "overrides"))


def note_table(record: ConversionRecord) -> pd.DataFrame:
    """The record's notes, one in a row; one row that says so where there are none."""
    notes = record.values["notes"] or ["no notes: nothing unusual was met"]
    return _table([{"note": note} for note in notes], ("note",))


def output_table(record: ConversionRecord) -> pd.DataFrame:
    """The files of the export: file, MB, sha256 (shortened)."""
    rows = [
        {"file": name, "MB": _megabytes(entry["bytes"]), "sha256": entry["sha256"][:_HASH_SHOWN]}
        for name, entry in sorted(record.values["outputs"].items())
    ]
    return _table(rows, ("file", "MB", "sha256"))


def change_table(record: ConversionRecord) -> pd.DataFrame:
    """Change against the base by module, weight and bias taken together.

    Columns: part, layer (Int64, missing outside the language model's layers), module, tensors, base_norm, change_norm,
    relative (change over base; missing where the base is zero). In the order of the model. Tensors that the bases
    lack, such as the `[SEG]` projection, are not in it.
    """
    sums: dict[tuple[str, int | None, str], list[float]] = {}
    for change in record.values["changes"]:
        name = change["target"]
        match = _LAYER.fullmatch(name)
        key = ("language layers", int(match[1]), match[2]) if match else (part_of(name), None, part_of(name))
        entry = sums.setdefault(key, [0.0, 0.0, 0.0])
        entry[0] += 1
        entry[1] += change["base_norm"] ** 2
        entry[2] += change["change_norm"] ** 2
    rows = [
        {
            "part": part,
            "layer": layer,
            "module": module,
            "tensors": int(count),
            "base_norm": math.sqrt(base),
            "change_norm": math.sqrt(changed),
            "relative": math.sqrt(changed / base) if base > 0 else math.nan,
        }
        for (part, layer, module), (count, base, changed) in sums.items()
    ]
    table = _table(rows, ("part", "layer", "module", "tensors", "base_norm", "change_norm", "relative"))
    return table.astype({"layer": "Int64", "relative": "float64"})


def part_of(name: str) -> str:
    """The part of the exported model that a tensor belongs to, in words of the module tree."""
    parts = name.split(".")
    if parts[0] == "sam2":
        return ".".join(parts[:2])
    known: Mapping[str, str] = {
        "language_model.model.embed_tokens": "embed_tokens",
        "language_model.model.norm": "final norm",
        "language_model.model.layers": "language layers",
        "language_model.lm_head.weight": "lm_head",
    }
    return known.get(".".join(parts[:3]), parts[0])


def _megabytes(nbytes: int) -> float:
    return round(nbytes / 1e6, 3)


def _table(rows: Sequence[Mapping[str, object]], columns: tuple[str, ...]) -> pd.DataFrame:
    """A table that has its columns even without rows."""
    return pd.DataFrame(list(rows), columns=list(columns))
