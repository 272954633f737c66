"""A run's configuration: everything that decides its results, written first and compared on every resume."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from helpers.core.documents import document, parse_document, refuse_damaged
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.runs.asked_prompts import OWN, AskedPrompts, other_prompts
from helpers.runs.durable import json_bytes, write_durable

# Of the data set's fields, those that the limit decides.
_OF_CASES = ("cases", "listing_sha256", "order_sha256")


Extent = Mapping[str, Any]


class Asked(Enum):
    """What a command asks for, beside what a run folder holds."""

    SAME = auto()
    MORE = auto()  # the same and further cases, or all of a data set of which the run has all
    FEWER = auto()  # a part of what is there
    OTHER = auto()


def extent_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a configuration that a limit decides: `limit`, and those of the cases in `dataset`."""
    dataset = values.get("dataset") or {}
    return {
        "limit": values.get("limit"),
        "dataset": {name: dataset[name] for name in _OF_CASES if name in dataset},
    }


def with_extent(values: Mapping[str, Any], extent: Extent) -> dict[str, Any]:
    """A configuration as it is with another extent."""
    dataset = {name: value for name, value in (values.get("dataset") or {}).items() if name not in _OF_CASES}
    return {**values, "limit": extent["limit"], "dataset": {**dataset, **extent["dataset"]}}


def asked_for(
    stored: Mapping[str, Any], asked: Mapping[str, Any], extent_at: Callable[[int | None], Extent] | None
) -> Asked:
    """How a configuration that is asked for stands to that of a run, both with the same fields.

    Args:
        extent_at: the extent of a limit in the data set as it is now; None where it does not grow.
    """
    if _same(stored, asked):
        return Asked.SAME
    before = extent_of(stored)
    if not _same(with_extent(asked, before), stored):
        return Asked.OTHER
    if extent_at is None or not _same(extent_at(before["limit"]), before):
        return Asked.OTHER
    limit, now, then = asked.get("limit"), asked["dataset"]["cases"], before["dataset"]["cases"]
    return Asked.MORE if limit is None or now > then or (now == then and before["limit"] is not None) else Asked.FEWER


def _same(first: Any, second: Any) -> bool:
    """Whether two JSON values are the same as they are hashed: 1 and 1.0 differ there."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


SCHEMA = "vesselkit.run"
SCHEMA_VERSION = 1
# Fields whose values say nothing to people, and what it means that they differ.
_HASHED = {
    "dataset.listing_sha256": "dataset: its cases, or their groups or splits, are not those that the run has "
    "(`vesselkit evaluate` takes groups as they are now)"
}

CONFIG_NAME = "run.json"
MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class RunConfig:
    """The configuration of a run, a JSON object without names, and its SHA-256.

    Attributes:
        grown_from: the extents that the run had before more cases were asked for, the oldest first, see
            `helpers.runs.run_config`.
    """

    values: Mapping[str, Any]
    config_sha256: str
    grown_from: tuple[Extent, ...] = ()

    @property
    def prompts(self) -> AskedPrompts:
        """What the run asks of its cases."""
        return AskedPrompts.of_config(self.values)

    @property
    def earlier(self) -> Mapping[str, int | None]:
        """SHA-256 of the configuration as it was -> its limit, for each extent that the run had before."""
        return {config_sha256(with_extent(self.values, extent)): extent["limit"] for extent in self.grown_from}

    @property
    def first_sha256(self) -> str:
        """SHA-256 of the configuration that the run began with, which it keeps while it grows."""
        return next(iter(self.earlier), self.config_sha256)


def config_sha256(values: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration and the schema version, whatever the order of its fields."""
    return hashlib.sha256(_compact({"schema_version": SCHEMA_VERSION, "config": values}).encode()).hexdigest()


def start_run(
    run: Path, values: Mapping[str, Any], extent_at: Callable[[int | None], Extent] | None = None
) -> RunConfig:
    """Write run.json into a new run folder, or check that the one that is there says the same, or fewer cases.

    A run of fewer cases grows: it is no longer finished, and run.json says how far it goes now.

    Args:
        extent_at: the extent of a limit in the data set as it is now; None for a run that does not grow.
    Raises:
        RefusedInput: where the folder holds a run of another configuration or of more cases, of version 0 or a damaged
            one. The message lists the fields that differ, with the stored and the new value.
    """
    path = run / CONFIG_NAME
    config = RunConfig(json.loads(_compact(values)), config_sha256(values))
    if not path.exists() and not (run / MANIFEST_NAME).exists():
        _write(path, config)
        return config
    stored = read_config(run)
    check_asked(run, stored.values, config.values, extent_at)
    if stored.config_sha256 == config.config_sha256:
        return stored
    grown = RunConfig(config.values, config.config_sha256, (*stored.grown_from, extent_of(stored.values)))
    (run / MANIFEST_NAME).unlink(missing_ok=True)
    _write(path, grown)
    return grown


def check_asked(
    run: Path,
    stored: Mapping[str, Any],
    asked: Mapping[str, Any],
    extent_at: Callable[[int | None], Extent] | None = None,
) -> None:
    """Raise RefusedInput where a run folder cannot be resumed with what is asked for.

    Args:
        stored, asked: fields of the two configurations, the same ones.
        extent_at: as for `start_run`.
    """
    answer = asked_for(stored, asked, extent_at)
    if answer is Asked.OTHER:
        raise other_configuration(run, differences(stored, asked))
    if answer is Asked.FEWER:
        cases, whole = stored["dataset"]["cases"], stored["limit"] is None
        raise RefusedInput(
            f"{run}: holds a run of {'all' if whole else 'the first'} {counted(cases, 'case')}, and the command asks "
            f"for the first {asked['limit']} of them. Nothing was changed. Leave the limit out, or name another folder"
        )


def _write(path: Path, config: RunConfig) -> None:
    grown = {"grown_from": list(config.grown_from)} if config.grown_from else {}
    content = {"config_sha256": config.config_sha256, **grown, "config": config.values}
    write_durable(path, json_bytes(document(SCHEMA, SCHEMA_VERSION, content)))


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
        if (run / MANIFEST_NAME).is_file():
            raise RefusedInput(
                f"{path}: expected a run of version {SCHEMA_VERSION}, found a run of version 0. Predict again"
            )
        is_there = "no such file in it" if run.is_dir() else "no such folder"
        raise RefusedInput(
            f"{path}: expected a run, a folder that `vesselkit predict` or `import` wrote, found {is_there}. Name that "
            "folder; scores, models and data sets are others"
        )
    content = parse_document(
        path, path.read_bytes(), SCHEMA, SCHEMA_VERSION, ("config", "config_sha256"), "Predict again"
    )
    with refuse_damaged(path, SCHEMA, SCHEMA_VERSION, "Predict again"):
        grown = tuple({"limit": of["limit"], "dataset": dict(of["dataset"])} for of in content.get("grown_from", ()))
        config = RunConfig(dict(content["config"]), content["config_sha256"], grown)
    if config_sha256(config.values) != config.config_sha256:
        raise RefusedInput(f"{path}: was changed after the run began (its hash does not fit). Predict again")
    return config


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """A line for each field that differs between two JSON objects, nested ones by their dotted name."""
    lines = []
    for name in sorted(set(stored) | set(asked)):
        if f"{prefix}{name}" == OWN:  # one line for all cases
            had, wanted = stored.get(name, {}), asked.get(name, {})
            lines += [other_prompts(had, wanted)] if had != wanted else []
            continue
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
