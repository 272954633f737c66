"""`conversion.json`, version 1: the full account of a conversion (docs/conversion-record.md), and the check in it.

The check is what `verify --receipt` found: docs/receipt-format.md.
"""

import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helpers import __version__
from helpers.checkpoints.convert.conversion_settings import Setting
from helpers.checkpoints.convert.plan import ConversionPlan, Lora, Rows, Target
from helpers.checkpoints.convert.weights import TensorChange
from helpers.core.atomic import write_json_atomic
from helpers.core.documents import document, read_document
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import agreeing, counted
from helpers.core.versions import version

RECORD_NAME = "conversion.json"
SCHEMA = "vesselkit.conversion"
SCHEMA_VERSION = 1
FIELDS = ("settings", "dtype", "tensors_sha256", "inputs", "outputs", "targets", "sources", "changes", "notes",
           "left_aside", "total_bytes")  # fmt: skip

CHECK_FIELD = "official_check"
CHECK_SCHEMA, CHECK_VERSION = "vesselkit.official-check", 1


@dataclass(frozen=True)
class InputFile:
    """A file that was read. Only its name is kept: folders of users' machines do not belong in an export."""

    role: str
    name: str
    sha256: str
    nbytes: int


@dataclass(frozen=True)
class ConversionRecord:
    """What a conversion did; `values` is the JSON object, `folder` where it stands."""

    folder: Path
    values: Mapping[str, Any]

    def summary(self) -> str:
        """A few lines for a person."""
        values = self.values
        counts: dict[str, int] = {}
        for target in values["targets"]:
            counts[target["origin"]] = counts.get(target["origin"], 0) + 1
        origins = ", ".join(f"{count} from {name}" for name, count in sorted(counts.items()))
        merged = Counter(target["rows"][0]["source"] for target in values["targets"] if target["origin"] == "merged")
        origins += "".join(f", LoRA merged onto {count} of the {name}" for name, count in sorted(merged.items()))
        lines = [
            f"{counted(len(values['targets']), 'tensor')}, {values['total_bytes'] / 1e9:.3f} GB {values['dtype']}: "
            f"{origins}",
            f"every one of {counted(sum(len(found) for found in values['sources'].values()), 'source tensor')} is "
            "accounted for",
        ]
        if values["changes"]:
            changed = sum(change["change_norm"] > 0 for change in values["changes"])
            lines.append(
                f"{changed} of {counted(len(values['changes']), 'tensor')} with a base counterpart "
                f"{agreeing(changed, 'differs', 'differ')} from it"
            )
        for name, setting in values["settings"].items():
            if setting["value"] is not None:
                lines.append(f"{name}: {shown_value(setting['value'])} (from {setting['source']})")
        lines += [f"note: {note}" for note in values["notes"]]
        return "\n".join(lines)


def shown_value(value: object) -> str:
    """A setting's value in one line."""
    if value is None:
        return "none"
    return " ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)


def build_values(
    plan: ConversionPlan,
    *,
    changes: Mapping[str, TensorChange],
    inputs: list[InputFile],
    outputs: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Setting],
    notes: list[str],
    left_aside: Mapping[str, Mapping[str, str]],
    dtype: str,
    total_bytes: int,
    digests: Mapping[str, str],
    fingerprint: str,
) -> dict:
    """The JSON object of a finished conversion."""
    values = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "vesselkit": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "transformers", "safetensors", "tokenizers")},
        },
        "settings": {name: setting.to_dict() for name, setting in settings.items()},
        "notes": notes,
        "left_aside": left_aside,
        "dtype": dtype,
        "total_bytes": total_bytes,
        "tensors_sha256": fingerprint,
        "inputs": [vars(found) for found in inputs],
        "outputs": outputs,
        "targets": [target_values(target, digests[target.name]) for target in plan.targets],
        "sources": {
            role.value: {name: {"fate": fate.fate.value, "targets": list(fate.targets)} for name, fate in fates.items()}
            for role, fates in plan.fates.items()
        },
        "changes": [
            {"target": name, "base_norm": change.base_norm, "change_norm": change.change_norm}
            for name, change in changes.items()
        ],
    }
    return document(SCHEMA, SCHEMA_VERSION, values)


def read_record(folder: Path) -> ConversionRecord:
    """The record of a finished conversion.

    Raises:
        RefusedInput: where the folder has none, or one of another schema.
    """
    path = folder / RECORD_NAME
    if not path.is_file():
        raise RefusedInput(
            f"{path}: expected this file of a folder that `vesselkit convert` wrote, found none. Check the path"
        )
    values = read_document(path, SCHEMA, SCHEMA_VERSION, FIELDS, "Convert again with this version")
    return ConversionRecord(folder, values)


def target_values(target: Target, digest: str) -> dict:
    values: dict[str, Any] = {
        "name": target.name,
        "shape": list(target.shape),
        "origin": target.origin.value,
        "rows": [_rows(part) for part in target.rows],
        "sha256": digest,
    }
    if target.lora:
        values["lora"] = _lora(target.lora)
    return values


def _rows(part: Rows) -> dict:
    return {"source": part.role.value, "tensor": part.name, "start": part.start, "stop": part.stop}


def _lora(lora: Lora) -> dict:
    start, stop = lora.rows[0]
    rows = {"start": start, "stop": stop} if len(lora.rows) == 1 else {"ranges": [list(one) for one in lora.rows]}
    return {"a": lora.a, "b": lora.b, **rows, "scale": lora.scale}


def keep_check(folder: Path, values: Mapping[str, Any]) -> None:
    """Put the result of a check into the record of a model folder; an earlier one is replaced.

    Args:
        values: a JSON object with the fingerprints `tensors_sha256` and `files_sha256` of the folder that was checked.
    Raises:
        RefusedInput: where the folder has no record.
        OSError: where it cannot be written.
    """
    record = dict(read_record(folder).values)
    record[CHECK_FIELD] = document(CHECK_SCHEMA, CHECK_VERSION, values)
    write_json_atomic(folder / RECORD_NAME, record)


def check_of(folder: Path, identity: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The result of the check of a model folder; None where there is none.

    Args:
        identity: the folder's `tensors_sha256` and `files_sha256`.
    Raises:
        RefusedInput: for a record that cannot be read.
    """
    if not (folder / RECORD_NAME).is_file():
        return None
    return kept_check(read_record(folder).values, identity["tensors_sha256"], identity["files_sha256"])


def kept_check(record: Mapping[str, Any], tensors_sha256: str | None, files_sha256: str) -> Mapping[str, Any] | None:
    """The result of the check of a model; None where there is none, or it is of another version or model.

    Args:
        record: values of the folder's conversion record.
        tensors_sha256, files_sha256: fingerprints of the folder as it is now.
    """
    found = record.get(CHECK_FIELD)
    if not isinstance(found, Mapping):
        return None
    wanted = {
        "schema": CHECK_SCHEMA,
        "schema_version": CHECK_VERSION,
        "tensors_sha256": tensors_sha256,
        "files_sha256": files_sha256,
    }
    return found if all(found.get(name) == value for name, value in wanted.items()) else None
