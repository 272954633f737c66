"""The end of a run: parts become tables, and the manifest is written last."""

import json
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from helpers import __version__
from helpers.core.documents import document, parse_document, refuse_damaged
from helpers.core.errors import RefusedInput
from helpers.core.parquet import table_of
from helpers.core.paths import PARTIAL_PREFIX
from helpers.core.versions import version
from helpers.core.watermark import new_stamp
from helpers.data.frames.image_reading import natural_key
from helpers.runs.case_parts import (
    ARTEFACTS_NAME,
    Artefacts,
    CasePart,
    artefact_table,
    done_part,
    part_digests,
    part_or_none,
    part_path,
    read_artefacts,
)
from helpers.runs.coco_export import coco
from helpers.runs.durable import fsync_all, json_bytes, write_durable
from helpers.runs.provenance import making
from helpers.runs.result_rows import PredictionRow, in_key_order, to_arrow
from helpers.runs.run_config import MANIFEST_NAME, SCHEMA, SCHEMA_VERSION, RunConfig, read_config
from helpers.runs.status import PredictionStatus
from helpers.runs.timings import predict_summary, timing_table

TABLE_NAME = "predictions.parquet"
TIMINGS_NAME = "timings.parquet"
COCO_NAME = "coco.json"

OFFICIAL_CHECK = "official_check"  # field of a manifest: how the model stands to the official code

MEND = "Copy it back, or give the run's command again, which mends it"


@dataclass(frozen=True)
class Tables:
    """What a finished run holds beside the files of its cases, all of it as its manifest has it.

    Attributes:
        rows: in natural order of the key.
        artefacts: None for a run that was finished before there was this table; its parts vouch for its files.
    """

    manifest: Mapping[str, Any]
    rows: tuple[PredictionRow, ...]
    artefacts: Artefacts | None


def finish_run(
    run: Path,
    case_ids: Iterable[str],
    extra: Mapping[str, Any],
    device: str = "cpu",
    settled: Callable[[str], CasePart | None] = lambda case_id: None,
) -> bool:
    """Write the tables, coco.json and manifest.json of a run whose cases are all there.

    One process at a time may finish a run. What an earlier one left half-written is removed.

    Args:
        case_ids: of the whole run, in any order; the tables are in natural order of the key.
        extra: further fields of the manifest, a JSON object without names.
        device: that computed, such as `cuda:1`.
        settled: gives the part of a case whose files were looked at and are on the disk; None for another.
    Returns:
        False, with nothing written, where cases are still missing.
    """
    config = read_config(run)
    case_ids = sorted(set(case_ids), key=natural_key)
    # Else every process but the last would read all artefacts, only to find that cases are missing.
    if not all(part_path(run, case_id).exists() for case_id in case_ids):
        return False
    parts, unsettled, folders = [], [], {run}
    for case_id in case_ids:
        part = settled(case_id)
        if part is not None:
            folders |= {part_path(run, case_id).parent, *((run / name).parent.parent for name in part.artefacts)}
        else:
            part = done_part(run, config.config_sha256, case_id, config.earlier)
            if part is None:
                return False
            unsettled += [part_path(run, case_id), *(run / name for name in part.artefacts)]
        parts.append(part)
    for path in run.glob(f"{PARTIAL_PREFIX}*"):
        path.unlink()
    fsync_all(run, unsettled, folders)
    rows = in_key_order(row for part in parts for row in part.rows)
    prompts = config.prompts
    timings = timing_table(run, case_ids)
    timed = parquet_bytes(timings)
    files = {
        TABLE_NAME: parquet_bytes(to_arrow(rows)),
        ARTEFACTS_NAME: parquet_bytes(artefact_table(parts, prompts)),
        COCO_NAME: json_bytes(coco(rows, prompts)),
    }
    for name, content in (*files.items(), (TIMINGS_NAME, timed)):
        write_durable(run / name, content)
    stamp = new_stamp()
    manifest = {
        **extra,
        **({} if stamp is None else {"stamp": stamp}),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config_sha256": config.config_sha256,
        **_derived(config, rows),
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
        "versions": _versions(),
        "machine": _machine(device),
        "timing": {**predict_summary(timings), "sha256": sha256(timed).hexdigest()},
    }
    write_durable(run / MANIFEST_NAME, json_bytes(document(SCHEMA, SCHEMA_VERSION, manifest)))
    return True


def is_finished(run: Path, case_ids: Iterable[str] = ()) -> bool:
    """Whether a run has a manifest of its configuration, and the tables that it vouches for.

    Args:
        case_ids: of which the parts, where they are there, must say what the tables say.
    """
    try:
        tables = read_tables(run, read_config(run))
        read_timings(run, tables.manifest)
    except RefusedInput:
        return False
    by_case: dict[str, list[PredictionRow]] = {}
    for row in tables.rows:
        by_case.setdefault(row.case_id, []).append(row)
    return all(_is_in(part, by_case, tables) for part in (part_or_none(run, case_id) for case_id in case_ids) if part)


def noted_check(run: Path) -> Mapping[str, Any] | None:
    """What a finished run says of its model's comparison with official code; None where it says nothing.

    Raises:
        RefusedInput: where the run is not finished, or damaged.
    """
    found: Mapping[str, Any] | None = read_tables(run, read_config(run)).manifest.get(OFFICIAL_CHECK)
    return found


def _is_in(part: CasePart, rows: Mapping[str, Sequence[PredictionRow]], tables: Tables) -> bool:
    """Whether tables say of a case, of which these are all their rows by case id, what its part says."""
    if list(in_key_order(part.rows)) != rows.get(part.case_id):
        return False
    artefacts = tables.artefacts
    return artefacts is None or all(artefacts.digests.get(name) == one for name, one in part_digests(part).items())


def read_tables(run: Path, config: RunConfig) -> Tables:
    """The manifest of a finished run and its tables, each checked against the other.

    Raises:
        RefusedInput: where the run is not finished, or one of them is lost, changed, or of something else.
    """
    path = run / MANIFEST_NAME
    if not path.is_file():
        raise RefusedInput(f"{run}: the run is not finished. Give the same command again to resume it")
    manifest = parse_document(
        path, path.read_bytes(), SCHEMA, SCHEMA_VERSION, ("config_sha256", "files"), "Predict again"
    )
    with refuse_damaged(path, SCHEMA, SCHEMA_VERSION, "Predict again"):
        wanted = {name: manifest["files"][name] for name in (TABLE_NAME, COCO_NAME)}
        wanted |= {name: digest for name, digest in manifest["files"].items() if name == ARTEFACTS_NAME}
    if manifest["config_sha256"] != config.config_sha256:
        raise RefusedInput(f"{path}: does not belong to the configuration beside it. Predict again")
    contents = {name: _vouched(run / name, digest) for name, digest in wanted.items()}
    rows = tuple(PredictionRow.from_json(values) for values in table_of(contents[TABLE_NAME]).to_pylist())
    derived = _derived(config, rows)
    other = [name for name in derived if name in manifest and _comparable(manifest[name]) != _comparable(derived[name])]
    if other:
        raise RefusedInput(
            f"{path}: expected what the tables beside it say, found another {', '.join(other)}: it was changed after "
            f"the run. {MEND}"
        )
    artefacts = read_artefacts(contents[ARTEFACTS_NAME]) if ARTEFACTS_NAME in contents else None
    return Tables(manifest, rows, artefacts)


def read_timings(run: Path, manifest: Mapping[str, Any]) -> pa.Table:
    """The table of timings. Raises RefusedInput where it is lost, or was changed after the run."""
    path = run / TIMINGS_NAME
    timing = manifest.get("timing")
    digest = timing.get("sha256") if isinstance(timing, dict) else None
    try:
        return table_of(_vouched(path, digest))
    except pa.ArrowInvalid as error:
        raise RefusedInput(f"{path}: not readable as a table ({error}). {MEND}") from error


def _vouched(path: Path, digest: str | None) -> bytes:
    """The bytes of a file of this SHA-256; None takes any."""
    content = path.read_bytes() if path.is_file() else None
    if content is None or (digest is not None and sha256(content).hexdigest() != digest):
        raise RefusedInput(f"{path}: expected as the manifest has it, found lost or changed. {MEND}")
    return content


def _derived(config: RunConfig, rows: Sequence[PredictionRow]) -> dict[str, Any]:
    """The fields of a manifest that follow from the configuration and the table, so that a changed one is noticed."""
    case_ids, prompts = {row.case_id for row in rows}, config.prompts
    return {
        "config": config.values,
        "data_sha256": data_sha256(rows),
        "cases": len(case_ids),
        "predictions": sum(len(prompts.of(case_id)) for case_id in case_ids),
        "counts": count_statuses(rows),
    }


def _comparable(value: Any) -> Any:
    """A field of a manifest, of counts those above 0: versions have known different statuses."""
    return {name: count for name, count in value.items() if count != 0} if isinstance(value, Mapping) else value


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file; equal tables give equal bytes under one version of pyarrow."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    content: bytes = buffer.getvalue().to_pybytes()
    return content


def data_sha256(rows: Sequence[PredictionRow]) -> str:
    """SHA-256 over the sorted (case id, hash of the pixels) of all cases, as JSON."""
    images = sorted({(row.case_id, row.image_sha256 or "") for row in rows})
    return sha256(json.dumps(images).encode()).hexdigest()


def count_statuses(rows: Sequence[PredictionRow]) -> dict[str, int]:
    """Number of case and prompt pairs of each status, zeros included."""
    counts = Counter({(row.case_id, row.prompt_id): row.status for row in rows}.values())
    return {status.value: counts[status] for status in PredictionStatus}


def _versions() -> dict[str, str]:
    packages = ("torch", "transformers", "numpy", "pillow", "pyarrow")
    return {"vesselkit": __version__, "python": platform.python_version(), **{name: version(name) for name in packages}}


def _machine(device: str) -> dict[str, Any]:
    """The machine that finished the run, without names; of several GPUs the one that computed."""
    return {"system": platform.system(), "processors": psutil.cpu_count(), "gpu": making(device)["gpu"]}
