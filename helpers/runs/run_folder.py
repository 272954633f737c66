"""A run folder as evaluation, review and notebooks read it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Combine
from helpers.runs.asked_prompts import AskedPrompts
from helpers.runs.case_parts import (
    Artefacts,
    logits_name,
    mask_name,
    part_digests,
    part_or_none,
    part_path,
    spread_name,
)
from helpers.runs.coco_export import drawn_code
from helpers.runs.finishing import MEND, TABLE_NAME, read_tables, read_timings
from helpers.runs.provenance import mixture
from helpers.runs.result_rows import PredictionRow, listed, to_arrow
from helpers.runs.run_config import MANIFEST_NAME, RunConfig, read_config
from helpers.runs.stored_maps import StoredLogits, combined_map, read_npz, read_png, read_spread

_OTHER = (
    "expected the file that the run wrote, found another. Predict the case again: give the run's command again, which "
    "mends it, or copy the file back"
)
_ANEW = (
    "expected the file of the run as it was opened, found another: the run was predicted again meanwhile. Open it again"
)


@dataclass(frozen=True)
class Run:
    """A run folder, of which logits and masks are read when asked for.

    Attributes:
        rows: of the table, in natural order of the key.
        artefacts: what the files of its cases must be; None for a run that was finished before there was such a
            table, whose parts say it.
    """

    folder: Path
    config: RunConfig
    manifest: Mapping[str, Any] = field(repr=False)
    rows: tuple[PredictionRow, ...] = field(repr=False)
    artefacts: Artefacts | None = field(default=None, repr=False)

    @property
    def prompts(self) -> Mapping[str, str]:
        """Prompt id -> the user's words, in the order given, each asked of every case.

        Raises:
            RefusedInput: where cases have prompts of their own: `p1` of one case is another question than `p1` of the
                next, so that what compares cases by prompt id would mean nothing.
        """
        if self.asked.own is not None:
            raise RefusedInput(
                f"{self.folder}: expected a run that asked every case the same prompts, found one that asked each case "
                "its own, as `vesselkit refseg` does and scores. Name a run of `vesselkit predict`"
            )
        return self.asked.shared

    @cached_property
    def asked(self) -> AskedPrompts:
        """What the run asked of its cases, also where they have prompts of their own."""
        return self.config.prompts

    @property
    def threshold(self) -> float:
        """Probability above which a pixel is in the masks."""
        return float(self.config.values["threshold"])

    @property
    def combine(self) -> Combine:
        """How the maps of several `[SEG]` became one mask."""
        return Combine(self.config.values["combine"])

    @property
    def key_fingerprint(self) -> str | None:
        """Fingerprint of the key of the case ids; None where they are the data set's own."""
        fingerprint: str | None = self.config.values.get("dataset", {}).get("key_fingerprint")
        return fingerprint

    @property
    def stamp(self) -> str | None:
        """What must stand on all that shows this run, as on a demonstration's; None for a run of one's own."""
        said = self.manifest.get("stamp")
        return said if isinstance(said, str) else None

    def table(self) -> pd.DataFrame:
        """The rows: one for each `[SEG]`, docs/run-format.md has the columns; missing where unknown."""
        return _pandas(to_arrow(self.rows))

    def timings(self) -> pd.DataFrame:
        """A row for each case, in seconds; missing where a stage did not run.

        Raises:
            RefusedInput: where the table is lost or was changed.
        """
        return _pandas(read_timings(self.folder, self.manifest))

    def cases(self) -> tuple[str, ...]:
        """The case ids, in natural order."""
        return tuple(self._case_ids)

    def has(self, case_id: str) -> bool:
        """Whether the run has a case, as quickly for thousands of cases as for one."""
        return case_id in self._case_ids

    @cached_property
    def _case_ids(self) -> dict[str, None]:
        return dict.fromkeys(row.case_id for row in self.rows)

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
                f"{counted(len(self.cases()), 'case')} and the prompts "
                f"{', '.join(self.asked.of(case_id)) or 'of other cases'}"
            )
        return rows

    def logits(self, case_id: str, prompt_id: str) -> StoredLogits | None:
        """The stored maps of a case and prompt; None where there are none.

        Raises:
            UsageProblem: where the run has no such case or prompt.
            RefusedInput: where the file is lost, or not the one that the run wrote.
        """
        name = logits_name(case_id, prompt_id)
        content = self._artefact(name, case_id, prompt_id)
        return None if content is None else read_npz(self.folder / name, content)

    def mask(self, case_id: str, prompt_id: str) -> np.ndarray | None:
        """The combined mask, bool (H, W); None where there is none, which is not an empty one. Raises as `logits`."""
        name = mask_name(case_id, prompt_id)
        content = self._artefact(name, case_id, prompt_id)
        if content is None:
            return None
        mask = read_png(self.folder / name, content)
        if self._digests(case_id) is None and not self._fits_codes(mask, case_id, prompt_id):
            raise self._another(name)
        return mask

    def spread(self, case_id: str, prompt_id: str) -> np.ndarray | None:
        """How far an ensemble spreads at each pixel, float32 (H, W), 0 .. 0.5; None without one. Raises as `logits`."""
        if self.prediction(case_id, prompt_id)[0].disagreement is None:
            return None
        name = spread_name(case_id, prompt_id)
        content = self._artefact(name, case_id, prompt_id)
        return None if content is None else read_spread(self.folder / name, content)

    def full_map(self, case_id: str, prompt_id: str) -> np.ndarray | None:
        """The logits behind the combined mask, float32 (H, W), for any threshold; None where there are none.

        Raises as `logits`.
        """
        stored = self.logits(case_id, prompt_id)
        if stored is None:
            return None
        return combined_map(stored.full_size(), self.combine, self._predicted_iou(case_id, prompt_id))

    def fingerprint(self, case_id: str, prompt_id: str) -> str:
        """SHA-256 of what was predicted, of what, and how: the configuration, the frame, the status, mask and logits.

        It changes where the case is predicted anew with another result, whatever becomes of other cases. Raises as
        `logits`.
        """
        row = self.prediction(case_id, prompt_id)[0]
        facts = [self.config.first_sha256, case_id, prompt_id, row.image_sha256, str(row.status)]
        if row.mask_pixels is not None:
            # Without digests any other state of the run is another one.
            digests = self._digests(case_id)
            whole = [digests[name(case_id, prompt_id)] for name in (mask_name, logits_name)] if digests else None
            facts += whole or [self.manifest["files"][TABLE_NAME]]
        return sha256(json.dumps(facts).encode()).hexdigest()

    @cached_property
    def unchecked(self) -> str | None:
        """A sentence where the run cannot tell that its files are those that it wrote; None where it can.

        So it is where parts of a run are gone, or of the first form, that was finished before there was the table of
        artefacts. Its masks are checked against the table's codes.
        """
        if self.artefacts is not None:
            return None
        unsealed = [case_id for case_id in self.cases() if self._digests(case_id) is None]
        if not unsealed:
            return None
        return (
            f"{len(unsealed)} of its {counted(len(self.cases()), 'case')} without digests of their files, so that "
            "these could not be checked. Predict into a new folder to have them"
        )

    @property
    def mixture(self) -> str | None:
        """A sentence where cases were computed under different versions or on different machines; None otherwise."""
        return None if self.artefacts is None else mixture(Counter(self.artefacts.made_with.values()))

    def require_whole(self, case_ids: Iterable[str] | None = None, prompt_id: str | None = None) -> None:
        """Check the files of cases before they are used.

        Args:
            case_ids: to look at; those that the run lacks are left out. None for all.
            prompt_id: None for every prompt.
        Raises:
            RefusedInput: where masks or logits are lost, or not those that the run wrote; it names the first cases.
        """
        wanted = set(self.cases()) if case_ids is None else set(self.cases()) & set(case_ids)
        chosen = [case_id for case_id in self.cases() if case_id in wanted]
        spoilt: dict[str, Path] = {}
        for case_id in track(chosen, "checking files", unit="case"):
            prompts = self.asked.of(case_id) if prompt_id is None else (prompt_id,)
            for prompt, name in product(prompts, (logits_name, mask_name)):
                try:
                    self._artefact(name(case_id, prompt), case_id, prompt)
                    if name is mask_name and self._digests(case_id) is None:
                        self.mask(case_id, prompt)
                except RefusedInput:
                    spoilt.setdefault(case_id, self.folder / name(case_id, prompt))
        if spoilt:
            raise RefusedInput(
                f"{next(iter(spoilt.values()))}: expected the file that the run wrote, found another, or none. So are "
                f"masks or logits in {len(spoilt)} of {counted(len(chosen), 'case')}: {listed(spoilt)}. Predict these "
                "again: give the run's command again, which mends them, or copy the files back"
            )

    @cached_property
    def _by_pair(self) -> Mapping[tuple[str, str], tuple[PredictionRow, ...]]:
        pairs = groupby(self.rows, key=lambda row: (row.case_id, row.prompt_id))
        return {pair: tuple(rows) for pair, rows in pairs}

    def _artefact(self, name: str, case_id: str, prompt_id: str) -> bytes | None:
        """The content of the file that a case and prompt must have; None where it must have none."""
        if self.prediction(case_id, prompt_id)[0].mask_pixels is None:
            return None
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RefusedInput(
                f"{path}: missing, although the results table counts its pixels ({error.strerror}). {MEND}"
            ) from error
        digests = self._digests(case_id)
        if digests is not None and sha256(content).hexdigest() != digests.get(name):
            raise self._another(name)
        return content

    def _another(self, name: str) -> RefusedInput:
        """The error for a file that is not the one that the run wrote, as far as this object knows."""
        try:
            now = json.loads((self.folder / MANIFEST_NAME).read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError, TypeError):
            now = self.manifest["files"]
        return RefusedInput(f"{self.folder / name}: {_OTHER if now == self.manifest['files'] else _ANEW}")

    def _digests(self, case_id: str) -> Mapping[str, str] | None:
        """SHA-256 of a case's files by path in the run; None where nothing vouches for them."""
        if self.artefacts is not None:
            return self.artefacts.digests
        if case_id not in self._parts:
            part = part_or_none(self.folder, case_id)
            if part is None:
                self._parts[case_id] = None
                return None
            rows = tuple(row for prompt_id in self.asked.of(case_id) for row in self.prediction(case_id, prompt_id))
            known = {self.config.config_sha256, *self.config.earlier}
            if (part.case_id, part.rows) != (case_id, rows) or part.config_sha256 not in known:
                path = part_path(self.folder, case_id)
                raise RefusedInput(f"{path}: expected the part of what the table says, found another. {MEND}")
            self._parts[case_id] = part_digests(part)
        return self._parts[case_id]

    def _fits_codes(self, mask: np.ndarray, case_id: str, prompt_id: str) -> bool:
        """Whether a mask, bool (H, W), is what the codes of the table come to; True where there are none."""
        rows = self.prediction(case_id, prompt_id)
        if any(row.rle is None for row in rows):
            return True
        drawn = np.stack([drawn_code(row) for row in rows]).astype(np.float32)
        return np.array_equal(combined_map(drawn, self.combine, self._predicted_iou(case_id, prompt_id)) > 0, mask)

    @cached_property
    def _parts(self) -> dict[str, Mapping[str, str] | None]:
        """Digests by case id, as far as parts were read."""
        return {}

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
    tables = read_tables(folder, config)
    return Run(folder, config, tables.manifest, tables.rows, tables.artefacts)


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
            f"{counted(len(common), 'common case')}, the first {other[0]}. Predict both on one data set"
        )


def _pandas(table: pa.Table) -> pd.DataFrame:
    """A table whose integers stay integers where some are missing."""
    return table.to_pandas(use_threads=False, types_mapper={pa.int64(): pd.Int64Dtype()}.get)
