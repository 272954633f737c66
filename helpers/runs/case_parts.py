"""One case of a run: its artefacts, and the part file whose presence commits it."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from helpers.core.errors import RefusedInput
from helpers.core.parquet import table_of
from helpers.core.paths import PARTIAL_PREFIX
from helpers.runs.asked_prompts import AskedPrompts
from helpers.runs.durable import json_bytes, sealed, unsealed, write_soon
from helpers.runs.provenance import making_text, write_source
from helpers.runs.result_rows import PredictionRow
from helpers.runs.stored_maps import StoredLogits, npz_bytes, png_bytes, spread_bytes
from helpers.runs.timings import timing_path

ARTEFACTS_NAME = "artefacts.parquet"
_COLUMNS = ("case_id", "prompt_id", "mask_sha256", "logits_sha256", "made_with", "spread_sha256")
SCHEMA = pa.schema([(name, pa.string()) for name in _COLUMNS])
_RANDOM_END = 9  # of the name of a half-written file: a dash and eight digits


@dataclass(frozen=True)
class CaseResult:
    """All that a run keeps of one case.

    Attributes:
        rows: of all prompts, in the order of prompts and `[SEG]`.
        logits: by prompt id; only those prompts that have maps.
        masks: combined mask by prompt id, bool (H, W); the same prompts, which are those whose rows count its pixels.
        timing: seconds by stage, and the batch size.
        source: state of the image file before it was read, see `sources.file_state`; None where unknown.
        spreads: how far the members of an ensemble spread, float32 (H, W), 0 .. 0.5, by prompt id; of the prompts
            whose rows have a disagreement.
    """

    case_id: str
    rows: tuple[PredictionRow, ...]
    logits: Mapping[str, StoredLogits] = field(repr=False)
    masks: Mapping[str, np.ndarray] = field(repr=False)
    timing: Mapping[str, float | int]
    source: str | None = None
    spreads: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.case_id or self.case_id.startswith(".") or set("/\\\0") & set(self.case_id):
            raise ValueError(f"case_id: expected a plain name, got {self.case_id!r}")
        keys = {(row.case_id, row.frame, row.prompt_id, row.seg_index) for row in self.rows}
        if len(keys) < len(self.rows) or {row.case_id for row in self.rows} != {self.case_id}:
            raise ValueError(f"rows: expected one for each [SEG] of {self.case_id}, got other or equal keys")
        drawn = {row.prompt_id for row in self.rows if row.mask_pixels is not None}
        if not drawn == set(self.logits) == set(self.masks):
            raise ValueError(
                f"expected logits and masks for the prompts {sorted(drawn)}, got logits for {sorted(self.logits)} and "
                f"masks for {sorted(self.masks)}"
            )
        compared = {row.prompt_id for row in self.rows if row.disagreement is not None}
        if compared != set(self.spreads):
            raise ValueError(f"expected maps of spread for {sorted(compared)}, got them for {sorted(self.spreads)}")


@dataclass(frozen=True)
class Artefact:
    """What a part vouches for: the size of a file in bytes and its SHA-256."""

    nbytes: int
    sha256: str


@dataclass(frozen=True)
class CasePart:
    """A committed case.

    Attributes:
        config_sha256: of the configuration it was made with.
        artefacts: by path in the run.
        made_with: versions and machine, see `helpers.runs.provenance`; None where they were not kept.
    """

    case_id: str
    config_sha256: str
    rows: tuple[PredictionRow, ...]
    artefacts: Mapping[str, Artefact]
    made_with: Mapping[str, str | None] | None = None


def logits_name(case_id: str, prompt_id: str) -> str:
    """Where a run keeps the maps of a case and prompt, relative to its folder."""
    return f"logits/{case_id}/{prompt_id}.npz"


def mask_name(case_id: str, prompt_id: str) -> str:
    """Where a run keeps the combined mask of a case and prompt, relative to its folder."""
    return f"masks/{case_id}/{prompt_id}.png"


def spread_name(case_id: str, prompt_id: str) -> str:
    """Where a run keeps how far an ensemble spreads for a case and prompt, relative to its folder."""
    return f"spreads/{case_id}/{prompt_id}.png"


def part_path(run: Path, case_id: str) -> Path:
    """The part file of a case."""
    return run / "parts" / f"{case_id}.json"


def commit_case(
    run: Path, config_sha256: str, result: CaseResult, made_with: Mapping[str, str | None] | None = None
) -> None:
    """Write a case's artefacts, times and source, then its part: without the part, the case counts as not done.

    The disk is not waited for, which would take longer than all else: part and artefacts are checked by their digests
    whenever the run goes on or is finished, and `finish_run` waits for all of them.

    Args:
        made_with: as `making` gives it; None leaves it out.
    Raises:
        OSError: where something cannot be written; nothing half-written keeps its name.
    """
    contents = {}
    for prompt_id, stored in result.logits.items():
        contents[logits_name(result.case_id, prompt_id)] = npz_bytes(stored)
        contents[mask_name(result.case_id, prompt_id)] = png_bytes(result.masks[prompt_id])
    contents |= {spread_name(result.case_id, name): spread_bytes(one) for name, one in result.spreads.items()}
    write_soon(timing_path(run, result.case_id), json_bytes(dict(result.timing)))
    if result.source is not None:
        write_source(run, result.case_id, result.source, result.rows[0].image_sha256)
    for name, content in contents.items():
        write_soon(run / name, content)
    part = {
        "case_id": result.case_id,
        "config_sha256": config_sha256,
        "artefacts": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        },
        **({} if made_with is None else {"made_with": dict(made_with)}),
        "rows": [row.to_json() for row in result.rows],
    }
    write_soon(part_path(run, result.case_id), sealed(part))


def read_part(run: Path, case_id: str) -> CasePart:
    """The part of a committed case. Raises RefusedInput where there is none, it is no part, or it was changed."""
    path = part_path(run, case_id)
    try:
        values = json.loads(unsealed(path.read_bytes()))
        rows = tuple(PredictionRow.from_json(row) for row in values["rows"])
        artefacts = {name: Artefact(facts["bytes"], facts["sha256"]) for name, facts in values["artefacts"].items()}
        return CasePart(values["case_id"], values["config_sha256"], rows, artefacts, values.get("made_with"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedInput(
            f"{path}: expected the part of a case ({type(error).__name__}); predict the run again to mend it"
        ) from error


def done_part(run: Path, config_sha256: str, case_id: str, earlier: Collection[str] = ()) -> CasePart | None:
    """The part of a case that is there whole: of this configuration, its artefacts of the recorded size and SHA-256.

    None for another.

    Args:
        earlier: SHA-256 of configurations of before the run grew, whose parts count as well.
    """
    part = part_or_none(run, case_id)
    if part is None or part.case_id != case_id or part.config_sha256 not in (config_sha256, *earlier):
        return None
    return part if all(_is_whole(run / name, wanted) for name, wanted in part.artefacts.items()) else None


def remove_leftovers(run: Path, case_ids: Iterable[str]) -> None:
    """Remove what a killed process left of cases: half-written files, and artefacts that their part does not name.

    Only the process that holds the cases' shard may call this.
    """
    wanted = set(case_ids)
    for case_id in wanted:
        part = part_or_none(run, case_id)
        named = set() if part is None else set(part.artefacts)
        for folder in (run / kind / case_id for kind in ("logits", "masks", "spreads")):
            if not folder.is_dir():
                continue
            for path in list(folder.iterdir()):
                if path.relative_to(run).as_posix() not in named:
                    path.unlink()
            if not any(folder.iterdir()):
                folder.rmdir()
    for folder in (run / "parts", run / "timings", run / "sources"):
        for path in list(folder.iterdir()) if folder.is_dir() else ():
            if _half_written_case(path.name) in wanted:
                path.unlink()


def _half_written_case(name: str) -> str | None:
    """The case id of a half-written part, timing or source; None for another file."""
    if not name.startswith(PARTIAL_PREFIX):
        return None
    return name.removeprefix(PARTIAL_PREFIX)[:-_RANDOM_END].removesuffix(".json")


def part_or_none(run: Path, case_id: str) -> CasePart | None:
    """As `read_part`; None where that raises."""
    try:
        return read_part(run, case_id)
    except RefusedInput:
        return None


def _is_whole(path: Path, wanted: Artefact) -> bool:
    if not path.is_file() or path.stat().st_size != wanted.nbytes:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == wanted.sha256


@dataclass(frozen=True)
class Artefacts:
    """What a finished run vouches for.

    Attributes:
        digests: SHA-256 of every file of masks, logits and spreads, by its path in the run.
        made_with: `making_text` of each case, by case id; None where unknown.
    """

    digests: Mapping[str, str]
    made_with: Mapping[str, str | None]


def artefact_table(parts: Sequence[CasePart], prompts: AskedPrompts) -> pa.Table:
    """A row for each case and prompt, in the order given; null where there is no such file, or nothing is known."""
    rows = []
    for part in parts:
        digests = part_digests(part)
        made_with = making_text(part.made_with)
        for prompt_id in prompts.of(part.case_id):
            mask, logits, spread = (
                digests.get(name(part.case_id, prompt_id)) for name in (mask_name, logits_name, spread_name)
            )
            rows.append((part.case_id, prompt_id, mask, logits, made_with, spread))
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)


_NAMES = {mask_name: "mask_sha256", logits_name: "logits_sha256", spread_name: "spread_sha256"}


def read_artefacts(content: bytes) -> Artefacts:
    """What the bytes of the table say."""
    digests, made_with = {}, {}
    for row in table_of(content).to_pylist():
        made_with[row["case_id"]] = row["made_with"]
        for name, column in _NAMES.items():
            if row.get(column) is not None:  # tables of before there were ensembles lack a column
                digests[name(row["case_id"], row["prompt_id"])] = row[column]
    return Artefacts(digests, made_with)


def part_digests(part: CasePart) -> dict[str, str]:
    """SHA-256 of a case's files, by path in the run."""
    return {name: artefact.sha256 for name, artefact in part.artefacts.items()}
