"""The metrics folder (docs/metrics-format.md): written whole or not at all, read by notebooks, gate and review."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.core.atomic import require_writable
from helpers.core.documents import read_document, refuse_damaged
from helpers.core.errors import RefusedInput
from helpers.core.parquet import read_pandas
from helpers.evaluation.score_table import table_of, unit_columns
from helpers.evaluation.scored_runs import ScoredRun
from helpers.metrics.case_scores import mask_digest
from helpers.metrics.threshold_curve import LogitHistogram
from helpers.runs.run_folder import open_run

SCHEMA, SCHEMA_VERSION = "vesselkit.metrics", 4
# 2 does not know how patients stand to training data; intervals of 2 and 3 are percentiles of bootstrap draws.
_READ = (2, 3, SCHEMA_VERSION)
SUMMARY_NAME = "summary.json"
TEXT_NAME = "summary.md"
TABLE_NAME = "metrics.parquet"
CHANGES_NAME = "changes.parquet"
YARDSTICKS_NAME = "yardsticks.parquet"
THRESHOLDS_NAME = "thresholds.parquet"
RELIABILITY_NAME = "reliability.parquet"
HISTOGRAMS_NAME = "histograms.npz"
GUESSES_NAME = "guesses.parquet"  # absent in older folders
FRAMES_NAME = "frames.parquet"
SEQUENCES_NAME = "sequences.parquet"
GROUPS_NAME = "groups.parquet"

_HASHED = (TABLE_NAME, CHANGES_NAME, YARDSTICKS_NAME, THRESHOLDS_NAME, RELIABILITY_NAME, HISTOGRAMS_NAME)
_SOMETIMES = (GUESSES_NAME, FRAMES_NAME, SEQUENCES_NAME, GROUPS_NAME)  # where a folder has them

_ADVICE = "Evaluate again, or give a folder that `vesselkit evaluate` wrote"

PREDICTION = "prediction"  # column of the table, see `Metrics.predictions`


@dataclass(frozen=True)
class Metrics:
    """A metrics folder.

    Attributes:
        summary: what `summary.json` holds.
    """

    folder: Path
    summary: Mapping[str, Any] = field(repr=False)

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of what was scored, in the order given; the first is what the evaluation is about."""
        return tuple(run["name"] for run in self.summary["runs"])

    @cached_property
    def _table(self) -> pd.DataFrame:
        return read_pandas(self.folder / TABLE_NAME)

    def table(self) -> pd.DataFrame:
        """One row for each run and case: `run`, then the columns of `case_scores.scores_table`."""
        return self._table.drop(columns=PREDICTION, errors="ignore")

    def scores(self, run: str) -> pd.DataFrame:
        """The table of scores of one run. Raises RefusedInput for a name that is not there."""
        if run not in self.runs:
            raise RefusedInput(f"{self.folder}: expected one of the runs {', '.join(self.runs)}, got {run!r}")
        table = self.table()
        of_run = table[table["run"] == run].drop(columns="run").reset_index(drop=True)
        return of_run.astype({name: object for name in unit_columns(of_run) if name != "case_id"})

    def means(self, run: str) -> pd.DataFrame:
        """Means of a run with their intervals, as `helpers.evaluation.score_table.summary` gave them."""
        return table_of(self._run(run)["summary"])

    def means_of_scored(self, run: str) -> pd.DataFrame | None:
        """The same without failed and missing predictions; None where none failed, or none has a mask."""
        rows = self._run(run)["scored_only"]
        return None if rows is None else table_of(rows)

    def comparison(self, second: str) -> pd.DataFrame:
        """Differences of another run less the first, as `helpers.evaluation.paired.compare` gave them."""
        rows = next(
            comparison["metrics"] for comparison in self.summary["comparisons"] if comparison["second"] == second
        )
        return table_of(rows)

    def _run(self, name: str) -> Mapping[str, Any]:
        return next(run for run in self.summary["runs"] if run["name"] == name)

    def histograms(self, run: str) -> dict[str, LogitHistogram]:
        """Case id -> histogram of its logits, of the cases that have logits."""
        place = self.runs.index(run)
        with np.load(self.folder / HISTOGRAMS_NAME, allow_pickle=False) as stored:
            case_ids, counts = stored[f"cases_{place}"], stored[f"counts_{place}"]
        return {
            str(case_id): LogitHistogram(vessel=both[0].astype(np.int64), background=both[1].astype(np.int64))
            for case_id, both in zip(case_ids, counts, strict=True)
        }

    def changes(self) -> pd.DataFrame:
        """Which cases got better or worse: `first_run`, `second_run`, then the columns of `paired.changes`."""
        return read_pandas(self.folder / CHANGES_NAME)

    def reference_bounds(self) -> pd.DataFrame:
        """One row for each case: `case_id`, `ceiling`, `all_empty`, `all_foreground`."""
        return read_pandas(self.folder / YARDSTICKS_NAME)

    def frames(self) -> pd.DataFrame | None:
        """One row for each run and frame of a sequence; None where no sequences were scored."""
        return self._sometimes(FRAMES_NAME)

    def sequences(self) -> pd.DataFrame | None:
        """One row for each run and sequence; None where none were scored."""
        return self._sometimes(SEQUENCES_NAME)

    def groups(self) -> pd.DataFrame | None:
        """`case_id` and `group` (missing where unknown) of each case; None where no groups were asked for."""
        return self._sometimes(GROUPS_NAME)

    def predictions(self, run: str) -> dict[str, str | None] | None:
        """Case id -> fingerprint of what was scored, None where the run had nothing; None for earlier versions."""
        if PREDICTION not in self._table.columns:
            return None
        table = self._table.loc[self._table["run"] == run, ["case_id", PREDICTION]].astype(object)
        return dict(table.where(table.notna(), None).itertuples(index=False, name=None))

    def guesses(self, run: str) -> pd.DataFrame | None:
        """The columns of `own_guess.guesses_table` for a run; None for older folders."""
        return self._of_run(GUESSES_NAME, run) if GUESSES_NAME in self.summary["files"] else None

    def guess_record(self, run: str) -> Mapping[str, Any] | None:
        """What a run's own guesses were worth, see `own_guess.guess_record`; None for older folders."""
        return next((one for one in self.summary.get("guesses", ()) if one["run"] == run), None)

    def _sometimes(self, name: str) -> pd.DataFrame | None:
        return read_pandas(self.folder / name) if name in self.summary["files"] else None

    def operating_point(self, run: str) -> dict[str, Any]:
        """The chosen threshold and the calibration of a run: an entry of `studies` of the summary."""
        return next(point for point in self.summary["studies"] if point["run"] == run)

    def thresholds(self, run: str) -> pd.DataFrame:
        """The columns of `thresholds.threshold_curves` for a run; no row where it stores no logits."""
        return self._of_run(THRESHOLDS_NAME, run)

    def reliability(self, run: str) -> pd.DataFrame:
        """`scaled`, `predicted`, `observed`, `pixels` of a run; no row where it has no probabilities."""
        return self._of_run(RELIABILITY_NAME, run)

    def _of_run(self, name: str, run: str) -> pd.DataFrame:
        table = read_pandas(self.folder / name)
        return table[table["run"] == run].drop(columns="run").reset_index(drop=True)


def open_metrics(folder: Path) -> Metrics:
    """Open a metrics folder.

    Raises:
        RefusedInput: for one of another version, changed since, or none.
    """
    path = Path(folder) / SUMMARY_NAME
    summary = read_document(path, SCHEMA, _READ, ("files",), _ADVICE)
    with refuse_damaged(path, SCHEMA, _READ, _ADVICE):
        files = dict(summary["files"])
    for name in (*_HASHED, *(name for name in _SOMETIMES if name in files)):
        file = Path(folder) / name
        if not file.is_file() or sha256(file.read_bytes()).hexdigest() != files.get(name):
            raise RefusedInput(f"{file}: expected as {SUMMARY_NAME} has it, found lost or changed. Evaluate again")
    return Metrics(Path(folder), summary)


def check_output(output: Path) -> None:
    """Raise RefusedInput where `output` cannot be written, or holds other things; a metrics folder is replaced."""
    require_writable(output)
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not _is_metrics(output):
        raise RefusedInput(f"{output}: expected a new folder, or an evaluation to replace. Name another one")


def _is_metrics(folder: Path) -> bool:
    """Whether a summary of ours is there. Other tools write a `summary.json` too, nnU-Net beside its predictions."""
    try:
        summary = json.loads((folder / SUMMARY_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(summary, dict) and summary.get("schema") == SCHEMA


def write_tables(
    folder: Path, tables: Mapping[str, pd.DataFrame], histograms: Mapping[str, Mapping[str, LogitHistogram]]
) -> dict[str, str]:
    """Write the tables of a metrics folder; file name -> SHA-256, for its summary.

    Args:
        tables: by file name, all but the histograms; those of sequences and groups where there are some.
        histograms: run name -> case id -> histogram.
    """
    for name, table in tables.items():
        table.to_parquet(folder / name, index=False)
    arrays = {}
    for place, by_case in enumerate(histograms.values()):
        pairs = [np.stack([one.vessel, one.background]) for one in by_case.values()]
        arrays[f"cases_{place}"] = np.array(list(by_case), dtype=np.str_)
        arrays[f"counts_{place}"] = np.array(pairs, np.int32) if pairs else np.zeros((0, 2, 0), np.int32)
    np.savez_compressed(folder / HISTOGRAMS_NAME, **arrays)  # type: ignore[arg-type]  # one name of NumPy's is a bool
    names = dict.fromkeys((*_HASHED, *tables))
    return {name: sha256((folder / name).read_bytes()).hexdigest() for name in names}


def require_unchanged(scored_runs: Sequence[ScoredRun]) -> None:
    """Raise RefusedInput where a run is not what it was when the scored runs were opened."""
    for run in {scored_run.run.folder: scored_run.run for scored_run in scored_runs}.values():
        if open_run(run.folder).manifest["files"] != run.manifest["files"]:
            raise RefusedInput(
                f"{run.folder}: expected the run as it was when the work began, found it predicted again meanwhile. "
                "Give the same command again"
            )


def name_in(metrics: Metrics, scored_run: ScoredRun) -> str | None:
    """The name that a scored run's run and prompt have in a metrics folder; None where it has no scores of them."""
    wanted = (scored_run.run.config.config_sha256, scored_run.prompt_id)
    names = [one["name"] for one in metrics.summary["runs"] if (one["config_sha256"], one["prompt_id"]) == wanted]
    return names[0] if names else None


def outdated(metrics: Metrics, name: str, scored_run: ScoredRun) -> frozenset[str]:
    """Cases whose scores under a name are of something else than what the scored run's run says of them now.

    Metrics folders of earlier versions say only which mask was scored; then masks are compared.
    """
    scored = metrics.predictions(name)
    if scored is not None:
        return frozenset(case_id for case_id, changed in scored.items() if changed != scored_run.prediction(case_id))
    changed = set()
    for row in metrics.scores(name).itertuples():
        mask = scored_run.mask(row.case_id)
        shown = np.zeros((row.height, row.width), bool) if mask is None else mask
        if mask_digest(shown) != row.prediction_digest:
            changed.add(row.case_id)
    return frozenset(changed)
