"""A run's configuration: everything that decides its results, written first and compared on every resume."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.atomic import write_json_atomic
from helpers.errors import RefusedInput

SCHEMA = "vesselkit.run"
SCHEMA_VERSION = 1
CONFIG_NAME = "run.json"


@dataclass(frozen=True)
class RunConfig:
    """The configuration of a run, a JSON object without names, and its SHA-256."""

    values: Mapping[str, Any]
    config_sha256: str


def config_sha256(values: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration, whatever the order of its fields."""
    text = json.dumps({"schema_version": SCHEMA_VERSION, "config": values}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def start_run(run: Path, values: Mapping[str, Any]) -> RunConfig:
    """Write run.json into a new run folder, or check that the one that is there says the same.

    Raises:
        RefusedInput: where the folder holds a run of another configuration; the message lists what differs.
    """
    run.mkdir(parents=True, exist_ok=True)
    path = run / CONFIG_NAME
    config = RunConfig(json.loads(json.dumps(values)), config_sha256(values))
    if not path.exists():
        content = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "config_sha256": config.config_sha256}
        write_json_atomic(path, {**content, "config": config.values})
        return config
    stored = read_config(run)
    if stored.config_sha256 != config.config_sha256:
        lines = "\n".join(f"  {line}" for line in differences(stored.values, config.values))
        raise RefusedInput(
            f"{run}: holds a run of another configuration:\n{lines}\nName another folder, or ask for the same again"
        )
    return stored


def read_config(run: Path) -> RunConfig:
    """The configuration of a run folder. Raises RefusedInput where there is none of this schema, or it was changed."""
    path = run / CONFIG_NAME
    if not path.is_file():
        found = "a run of version 0" if (run / "manifest.json").is_file() else "none"
        raise RefusedInput(f"{path}: expected a run of version {SCHEMA_VERSION}, found {found}. Predict again")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = (content["schema"], content["schema_version"])
        config = RunConfig(content["config"], content["config_sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedInput(f"{path}: not readable as a run's configuration ({error}). Predict again") from error
    if found != (SCHEMA, SCHEMA_VERSION):
        raise RefusedInput(f"{path}: expected {SCHEMA} version {SCHEMA_VERSION}, found {found[0]} {found[1]}")
    if config_sha256(config.values) != config.config_sha256:
        raise RefusedInput(f"{path}: was changed after the run began (its hash does not fit). Predict again")
    return config


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """A line for each field that differs, nested ones by their dotted name."""
    lines = []
    for name in sorted(set(stored) | set(asked)):
        before, now = stored.get(name), asked.get(name)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            lines += differences(before, now, f"{prefix}{name}.")
        elif before != now:
            lines.append(f"{prefix}{name}: the run has {before!r}, asked for was {now!r}")
    return lines
