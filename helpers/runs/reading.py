"""A run folder as evaluation, review and notebooks read it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from helpers.errors import RefusedInput
from helpers.runs.config import SCHEMA, SCHEMA_VERSION, RunConfig, read_config
from helpers.runs.finishing import MANIFEST_NAME, TABLE_NAME, TIMINGS_NAME
from helpers.runs.logits import StoredLogits, read_npz
from helpers.runs.masks import Combine, combined_map, combined_mask, read_png
from helpers.runs.parts import logits_name, mask_name

_INTEGERS = ("frame", "seg_index", "width", "height", "seg_count", "mask_pixels", "token_count", "tiles")


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    config: RunConfig
    manifest: Mapping[str, Any]

    @property
    def prompts(self) -> Mapping[str, str]:
        """Prompt id -> the user's words."""
        return self.config.values["prompts"]

    @property
    def key_fingerprint(self) -> str | None:
        """Fingerprint of the key of the case ids; None where they are the data set's own."""
        return self.config.values.get("dataset", {}).get("key_fingerprint")

    def table(self) -> pd.DataFrame:
        """predictions.parquet: a row for each `[SEG]`, docs/run-format.md has the columns; missing where unknown."""
        table = pq.read_table(self.folder / TABLE_NAME).to_pandas()
        return table.astype(dict.fromkeys(_INTEGERS, "Int64"))

    def timings(self) -> pd.DataFrame:
        """timings.parquet: a row for each case, in seconds."""
        return pq.read_table(self.folder / TIMINGS_NAME).to_pandas()

    def cases(self) -> tuple[str, ...]:
        """The case ids, in the run's order."""
        return tuple(dict.fromkeys(self.table()["case_id"]))

    def logits(self, case_id: str, prompt_id: str) -> StoredLogits | None:
        """The stored maps of a case and prompt; None where there are none."""
        path = self.folder / logits_name(case_id, prompt_id)
        return read_npz(path) if path.is_file() else None

    def mask(self, case_id: str, prompt_id: str) -> np.ndarray | None:
        """The combined mask, bool (H, W); None where there is none, which is not an empty one."""
        path = self.folder / mask_name(case_id, prompt_id)
        return read_png(path) if path.is_file() else None

    def full_map(self, case_id: str, prompt_id: str) -> np.ndarray | None:
        """The logits behind the combined mask, float32 (H, W), for any threshold; None where there are none."""
        stored = self.logits(case_id, prompt_id)
        if stored is None:
            return None
        return combined_map(stored.full_size(), self._combine, self._predicted_iou(case_id, prompt_id))

    def mask_difference(self, case_id: str, prompt_id: str) -> int | None:
        """Pixels in which the stored mask differs from the one that its logits define: 0, unless a file was changed."""
        stored, mask = self.logits(case_id, prompt_id), self.mask(case_id, prompt_id)
        if stored is None or mask is None:
            return None
        iou = self._predicted_iou(case_id, prompt_id)
        wanted = combined_mask(stored.full_size(), self.config.values["threshold"], self._combine, iou)
        return int((wanted != mask).sum())

    @property
    def _combine(self) -> Combine:
        return Combine(self.config.values["combine"])

    def _predicted_iou(self, case_id: str, prompt_id: str) -> np.ndarray | None:
        if self._combine is not Combine.BEST:
            return None
        table = self.table()
        found = table.loc[(table["case_id"] == case_id) & (table["prompt_id"] == prompt_id), "predicted_iou"]
        return None if found.isna().any() else found.to_numpy(float)


def open_run(folder: Path) -> Run:
    """A finished run. Raises RefusedInput for one that is not finished, of another version, or no run."""
    folder = Path(folder)
    config = read_config(folder)
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise RefusedInput(f"{folder}: the run is not finished. Give the same command again to go on with it")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = (manifest["schema"], manifest["schema_version"], manifest["config_sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedInput(f"{path}: not readable as a manifest ({error}). Predict again") from error
    if found != (SCHEMA, SCHEMA_VERSION, config.config_sha256):
        raise RefusedInput(f"{path}: does not belong to the configuration beside it. Predict again")
    return Run(folder, config, manifest)


def require_comparable(first: Run, second: Run) -> None:
    """Raise RefusedInput where equal case ids of two runs need not mean the same case."""
    if first.key_fingerprint != second.key_fingerprint:
        raise RefusedInput(
            f"{first.folder.name} and {second.folder.name}: their case ids come from different keys "
            f"({first.key_fingerprint} and {second.key_fingerprint}), so that equal ids are not equal cases. Predict "
            "one of them again with the other's --id-key"
        )
