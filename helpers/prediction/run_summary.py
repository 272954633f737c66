"""The closing report of a command on a run, and the warning where all its masks are empty."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from helpers.core.shown_text import counted
from helpers.prediction.engine.dtypes import DTYPES
from helpers.prediction.work_shards import Process, WorkShard
from helpers.runs.result_rows import listed
from helpers.runs.run_folder import Run, open_run
from helpers.runs.status import FAILURES, PredictionStatus

# What may be another time: a disk that is there again, a machine with more memory.
_TRIED_AGAIN = frozenset((str(PredictionStatus.READ_ERROR), str(PredictionStatus.OOM)))

# Whose float16 a model can go beyond, and what to do then.
_NARROW = frozenset(name for name, dtype in DTYPES.items() if torch.float16 in (dtype.main, dtype.sam2))
_TOO_NARROW = (
    "float16 may be too narrow for this model; `vesselkit check-precision` tells, and --dtype bfloat16 with another "
    "folder predicts without it"
)


@dataclass(frozen=True)
class RunSummary:
    """Where a run stands after a shard of it ended.

    Attributes:
        folder: of the run.
        shard: the share that was computed.
        complete: whether all cases of all shards are there and the run is finished.
        cases: number of cases of the whole run.
        available: number of frames that the run could have, of which a limit takes the first ones.
        failure: what the first case ended with, where every case of the run, or of a shard that did not finish it,
            ended in an error; None otherwise.
    """

    folder: Path
    shard: WorkShard
    complete: bool
    cases: int
    available: int
    failure: str | None = None

    def to_text(self, process: Process | None = None) -> str:
        """What to tell the user: status counts of a finished run, or what is missing; the folder.

        Args:
            process: this one, where a launcher started several.
        """
        if not self.complete:
            if process is not None:
                return f"rank {process.rank} of {process.world} is done; the last rank finishes the run"
            failed = "" if self.failure is None else f"{self._nothing_predicted}\n"
            return (
                f"shard {self.shard} is done; other shards are missing, and the last of them finishes the run\n"
                f"{failed}written to {self.folder}\nnext: run the same command for the other shards"
            )
        run = open_run(self.folder)
        counts = Counter(str(rows[0].status) for rows in run.predictions())
        statuses = ", ".join(f"{count} {status}" for status, count in counts.most_common())
        shared = len(run.asked.shared)
        prompts = "" if shared == 1 else f" x {shared} prompts"
        if run.asked.own is not None:
            prompts = f" with {counts.total()} prompts of their own"
        lines = [] if process is None else [f"rank {process.rank} of {process.world} finished the run"]
        lines.append(f"{counted(self.cases, 'case')}{prompts}: {statuses}")
        for status in FAILURES:
            case_ids = dict.fromkeys(row.case_id for row in run.rows if row.status is status)
            if case_ids:
                lines.append(f"{status}: {listed(case_ids)}")
        if PredictionStatus.NAN_LOGITS in counts and run.config.values["predictor"].get("dtype") in _NARROW:
            lines.append(f"{PredictionStatus.NAN_LOGITS}: {_TOO_NARROW}")
        if counts.keys() & _TRIED_AGAIN:
            lines.append(f"the same command tries those of {' and '.join(sorted(counts.keys() & _TRIED_AGAIN))} again")
        if self.cases < self.available:
            lines.append(
                f"only the first {self.cases} of {counted(self.available, 'case')} were asked for: the same without "
                "the limit, or with a larger one, goes on with the others"
            )
        if run.mixture:
            lines.append(f"note: {run.mixture}")
        if self.failure is not None:
            lines.append(self._nothing_predicted)
        lines.append(f"written to {self.folder}: the masks in masks/, the table as predictions.parquet")
        return "\n".join(lines)

    @property
    def _nothing_predicted(self) -> str:
        return f"every case ended in an error, so that nothing was predicted; the first: {self.failure}"


def empty_warning(run: Run) -> str | None:
    """What to tell last of a finished run of which no mask holds a pixel; None of any other.

    A run of which every case ended in an error has no masks at all: its end says so already.
    """
    predicted = [row for row in run.rows if row.status not in FAILURES]
    if not predicted or any(row.mask_pixels for row in predicted):
        return None
    return (
        f"WARNING: all masks are empty ({len(predicted)}). Look at the frames as they were read, at the prompt and the "
        "threshold"
    )
