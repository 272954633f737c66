"""A run's configuration: everything that decides its results, written first and compared on every resume."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.errors import RefusedInput
from helpers.runs.durable import json_bytes, write_durable

SCHEMA = "vesselkit.run"
SCHEMA_VERSION = 1
# Fields whose values say nothing to people, and what it means that they differ.
_HASHED = {"dataset.listing_sha256": "dataset: its cases, or their groups or splits, are not those that the run has"}

CONFIG_NAME = "run.json"
MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class RunConfig:
    """The configuration of a run, a JSON object without names, and its SHA-256."""

    values: Mapping[str, Any]
    config_sha256: str


def config_sha256(values: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration and the schema version, whatever the order of its fields."""
    return hashlib.sha256(_compact({"schema_version": SCHEMA_VERSION, "config": values}).encode()).hexdigest()


def start_run(run: Path, values: Mapping[str, Any]) -> RunConfig:
    """Write run.json into a new run folder, or check that the one that is there says the same.

    Raises:
        RefusedInput: where the folder holds a run of another configuration, of version 0 or a damaged one. The message
            lists the fields that differ, with the stored and the new value.
    """
    path = run / CONFIG_NAME
    config = RunConfig(json.loads(_compact(values)), config_sha256(values))
    if not path.exists() and not (run / MANIFEST_NAME).exists():
        content = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "config_sha256": config.config_sha256}
        write_durable(path, json_bytes({**content, "config": config.values}))
        return config
    stored = read_config(run)
    if stored.config_sha256 != config.config_sha256:
        raise other_configuration(run, differences(stored.values, config.values))
    return stored


def other_configuration(folder: Path, lines: Iterable[str], what: str = "a run") -> RefusedInput:
    """The error for a folder of what was asked for otherwise; `lines` are those of `differences`."""
    listed = "\n".join(f"  {line}" for line in lines)
    return RefusedInput(
        f"{folder}: holds {what} of another configuration:\n{listed}\nName another folder, or ask for the same again"
    )


def read_config(run: Path) -> RunConfig:
    """The configuration of a run folder. Raises RefusedInput where there is none of this schema, or it was changed."""
    path = run / CONFIG_NAME
    if not path.is_file():
        found = "a run of version 0" if (run / MANIFEST_NAME).is_file() else "none"
        raise RefusedInput(f"{path}: expected a run of version {SCHEMA_VERSION}, found {found}. Predict again")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = (content["schema"], content["schema_version"])
        config = RunConfig(content["config"], content["config_sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedInput(f"{path}: not readable as a run's configuration ({error!r}). Predict again") from error
    if found != (SCHEMA, SCHEMA_VERSION):
        raise RefusedInput(
            f"{path}: expected {SCHEMA} version {SCHEMA_VERSION}, found {found[0]} {found[1]}. Predict again"
        )
    if config_sha256(config.values) != config.config_sha256:
        raise RefusedInput(f"{path}: was changed after the run began (its hash does not fit). Predict again")
    return config


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """A line for each field that differs between two JSON objects, nested ones by their dotted name."""
    lines = []
    for name in sorted(set(stored) | set(asked)):
        if isinstance(stored.get(name), Mapping) and isinstance(asked.get(name), Mapping):
            lines += differences(stored[name], asked[name], f"{prefix}{name}.")
            continue
        # As JSON, since that is what is hashed: 1 and 1.0 differ there.
        before, now = (_compact(side[name]) if name in side else "nothing" for side in (stored, asked))
        if before != now:
            lines.append(_HASHED.get(f"{prefix}{name}", f"{prefix}{name}: the run has {before}, asked for was {now}"))
    return lines


def _compact(values: Any) -> str:
    return json.dumps(values, sort_keys=True, ensure_ascii=False, allow_nan=False)
