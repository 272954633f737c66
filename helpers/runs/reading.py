"""A run folder as evaluation, review and notebooks read it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from helpers.errors import RefusedInput, UsageProblem
from helpers.runs.config import MANIFEST_NAME, SCHEMA, SCHEMA_VERSION, RunConfig, read_config
from helpers.runs.finishing import COCO_NAME, TABLE_NAME, TIMINGS_NAME, in_order
from helpers.runs.logits import StoredLogits, read_npz
from helpers.runs.masks import Combine, combined_map, read_png
from helpers.runs.parts import logits_name, mask_name
from helpers.runs.rows import PredictionRow, to_arrow

_MEND = "Copy it back, or give the run's command again, which mends it"


@dataclass(frozen=True)
class Run:
    """A run folder, of which logits and masks are read when asked for.

    Attributes:
        rows: of the table, in natural order of the key.
    """

    folder: Path
    config: RunConfig
    manifest: Mapping[str, Any] = field(repr=False)
    rows: tuple[PredictionRow, ...] = field(repr=False)

    @property
    def prompts(self) -> Mapping[str, str]:
        """Prompt id -> the user's words, in the order given."""
        return in_order(self.config.values["prompts"])

    @property
    def threshold(self) -> float:
        """Probability above which a pixel is in the masks."""
        return self.config.values["threshold"]

    @property
    def combine(self) -> Combine:
        """How the maps of several `[SEG]` became one mask."""
        return Combine(self.config.values["combine"])

    @property
    def key_fingerprint(self) -> str | None:
        """Fingerprint of the key of the case ids; None where they are the data set's own."""
        return self.config.values.get("dataset", {}).get("key_fingerprint")

    @property
    def stamp(self) -> str | None:
        """What must stand on all that shows this run, as on a demonstration's; None for a run of one's own."""
        said = self.manifest.get("stamp")
        return said if isinstance(said, str) else None

    def table(self) -> pd.DataFrame:
        """The rows: one for each `[SEG]`, docs/run-format.md has the columns; missing where unknown."""
        return _pandas(to_arrow(self.rows))

    def timings(self) -> pd.DataFrame:
        """A row for each case, in seconds; missing where a stage did not run."""
        return _pandas(pq.read_table(self.folder / TIMINGS_NAME))

    def cases(self) -> tuple[str, ...]:
        """The case ids, in natural order."""
        return tuple(dict.fromkeys(row.case_id for row in self.rows))

    @cached_property
    def image_hashes(self) -> Mapping[str, str]:
        """Case id -> `image_sha256` of the frame that was predicted, for the cases that could be read."""
        return {row.case_id: row.image_sha256 for row in self.rows if row.image_sha256 is not None}

    def predictions(self) -> Iterator[tuple[PredictionRow, ...]]:
        """The rows of each case and prompt, one pair after the other, in the order of the table."""
        yield from self._by_pair.values()

    def prediction(self, case_id: str, prompt_id: str) -> tuple[PredictionRow, ...]:
        """The rows of a case and prompt, at least one. Raises UsageProblem where the run has no such pair."""
        rows = self._by_pair.get((case_id, prompt_id))
        if rows is None:
            raise UsageProblem(
                f"{self.folder}: expected a case and prompt of this run, got {case_id} and {prompt_id}. It has "
                f"{len(self.cases())} cases and the prompts {', '.join(self.prompts)}"
            )
        return rows

    def logits(self, case_id: str, prompt_id: str) -> StoredLogits | None:
        """The stored maps of a case and prompt; None where there are none.

        Raises:
            UsageProblem: where the run has no such case or prompt.
            RefusedInput: where the file is lost or damaged.
        """
        path = self._artefact(logits_name(case_id, prompt_id), case_id, prompt_id)
        return None if path is None else read_npz(path)

    def mask(self, case_id: str, prompt_id: str) -> np.ndarray | None:
        """The combined mask, bool (H, W); None where there is none, which is not an empty one. Raises as `logits`."""
        path = self._artefact(mask_name(case_id, prompt_id), case_id, prompt_id)
        return None if path is None else read_png(path)

    def full_map(self, case_id: str, prompt_id: str) -> np.ndarray | None:
        """The logits behind the combined mask, float32 (H, W), for any threshold; None where there are none.

        Raises as `logits`.
        """
        stored = self.logits(case_id, prompt_id)
        if stored is None:
            return None
        return combined_map(stored.full_size(), self.combine, self._predicted_iou(case_id, prompt_id))

    @cached_property
    def _by_pair(self) -> Mapping[tuple[str, str], tuple[PredictionRow, ...]]:
        pairs = groupby(self.rows, key=lambda row: (row.case_id, row.prompt_id))
        return {pair: tuple(rows) for pair, rows in pairs}

    def _artefact(self, name: str, case_id: str, prompt_id: str) -> Path | None:
        """The file that a case and prompt must have; None where it must have none."""
        if self.prediction(case_id, prompt_id)[0].mask_pixels is None:
            return None
        path = self.folder / name
        if not path.is_file():
            raise RefusedInput(f"{path}: expected, since the table counts its pixels, and not found. {_MEND}")
        return path

    def _predicted_iou(self, case_id: str, prompt_id: str) -> np.ndarray:
        """(n,), NaN where unknown."""
        return np.array([row.predicted_iou for row in self.prediction(case_id, prompt_id)], float)


def open_run(folder: Path) -> Run:
    """Open a run folder.

    Raises:
        RefusedInput: for one that is not finished, of another version, changed since, or no run.
    """
    folder = Path(folder)
    config = read_config(folder)
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise RefusedInput(f"{folder}: the run is not finished. Give the same command again to go on with it")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = (manifest["schema"], manifest["schema_version"], manifest["config_sha256"])
        wanted = {name: manifest["files"][name] for name in (TABLE_NAME, COCO_NAME)}
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedInput(f"{path}: not readable as a manifest ({error!r}). Predict again") from error
    if found != (SCHEMA, SCHEMA_VERSION, config.config_sha256):
        raise RefusedInput(f"{path}: does not belong to the configuration beside it. Predict again")
    for name, digest in wanted.items():
        if not (folder / name).is_file() or sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise RefusedInput(f"{folder / name}: expected as the manifest has it, found lost or changed. {_MEND}")
    rows = tuple(PredictionRow.from_json(values) for values in pq.read_table(folder / TABLE_NAME).to_pylist())
    return Run(folder, config, manifest, rows)


def require_comparable(first: Run, second: Run) -> None:
    """Raise RefusedInput where equal case ids of two runs do not mean the same frame."""
    names = f"{first.folder.name} and {second.folder.name}"
    if first.key_fingerprint != second.key_fingerprint:
        raise RefusedInput(
            f"{names}: their case ids come from different keys ({first.key_fingerprint} and "
            f"{second.key_fingerprint}), so that equal ids are not equal cases. Predict one of them again with the "
            "other's --id-key"
        )
    common = [case_id for case_id in first.image_hashes if case_id in second.image_hashes]
    other = [case_id for case_id in common if first.image_hashes[case_id] != second.image_hashes[case_id]]
    if other:
        raise RefusedInput(
            f"{names}: expected the same frames behind the same case ids, found other pixels in {len(other)} of "
            f"{len(common)} common cases, the first {other[0]}. Predict both on one data set"
        )


def _pandas(table: pa.Table) -> pd.DataFrame:
    """A table whose integers stay integers where some are missing."""
    return table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
