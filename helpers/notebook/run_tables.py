"""A run as the tables that notebooks show: one row a case and prompt, statuses, and how far prompts agree."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.core.paths import Stage, stage_folder
from helpers.runs.run_folder import Run
from helpers.runs.status import PredictionStatus

_KEY = ["case_id", "prompt_id"]
_ENDED = [*_KEY, "status", "seg_count", "mask_fraction", "text", "message"]


def prediction_table(run: Run) -> pd.DataFrame:
    """One row for each case and prompt, the one of its first `[SEG]`, with all columns of `Run.table`."""
    return run.table().drop_duplicates(_KEY).reset_index(drop=True)


def other_than_ok(run: Run) -> pd.DataFrame:
    """The cases and prompts that ended otherwise than `ok`, with answer and message; where none did, a row says so."""
    table = prediction_table(run)
    found = table.loc[table["status"].astype(str) != PredictionStatus.OK, _ENDED].reset_index(drop=True)
    return found if len(found) else pd.DataFrame({"other than ok": ["none"]})


def status_table(run: Run) -> pd.DataFrame:
    """Statuses that occur, most frequent first: status, and the number of cases for each prompt id."""
    table = prediction_table(run)
    counted = pd.crosstab(table["status"].astype(str), table["prompt_id"].astype(str))
    counted = counted.loc[counted.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    return counted.rename_axis(columns=None).reset_index()


def prompt_table(run: Run) -> pd.DataFrame:
    """What each prompt gave: prompt_id, prompt, cases with a mask, median share of the frame that the mask takes."""
    table = prediction_table(run)
    rows = []
    for prompt_id, prompt in run.prompts.items():
        fractions = table.loc[table["prompt_id"] == prompt_id, "mask_fraction"].dropna()
        median = round(float(fractions.median()), 4) if len(fractions) else None
        rows.append((prompt_id, prompt, len(fractions), median))
    return pd.DataFrame(rows, columns=["prompt_id", "prompt", "cases with a mask", "median mask fraction"])


def agreement_tables(run: Run) -> tuple[pd.DataFrame, ...]:
    """How far the masks of every two prompts agree, by Dice; nothing where there is one prompt.

    Returns:
        The pairs of prompts: cases with both masks, median and lowest Dice, and the case of the lowest. Then the cases,
        with a column for each pair; missing where either prompt left no mask: a failed prediction is not counted
        as an empty mask.
    """
    pairs = list(combinations(run.prompts, 2))
    if not pairs:
        return ()
    rows = []
    for case_id in run.cases():
        masks = {prompt_id: run.mask(case_id, prompt_id) for prompt_id in run.prompts}
        rows.append((case_id, *(_dice(masks[first], masks[second]) for first, second in pairs)))
    cases = pd.DataFrame(rows, columns=["case_id", *(f"{first} and {second}" for first, second in pairs)]).round(4)
    return _pair_table(cases), cases


def _pair_table(cases: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name in cases.columns[1:]:
        known = cases.set_index("case_id")[name].dropna().astype(float)
        facts = (known.median(), known.min(), known.idxmin()) if len(known) else (None, None, None)
        rows.append((name, len(known), *facts))
    return pd.DataFrame(rows, columns=["prompts", "cases with both masks", "median Dice", "lowest Dice", "its case"])


def time_table(run: Run) -> pd.DataFrame:
    """Seconds of each stage of the run: stage, sum, median and slowest of a case. Predicting is its part of a batch."""
    timings = run.timings()
    rows = []
    for column in timings.columns:
        if column.endswith("_seconds"):
            known = timings[column].dropna()
            rows.append((column.removesuffix("_seconds"), known.sum(), known.median(), known.max()))
    return pd.DataFrame(rows, columns=["stage", "sum", "median case", "slowest case"]).round(3)


def _dice(first: np.ndarray | None, second: np.ndarray | None) -> float | None:
    """Dice of two masks, bool (H, W); 1 where both are empty, None where one is missing."""
    if first is None or second is None:
        return None
    size = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / size if size else 1.0


@dataclass(frozen=True)
class ShownBench:
    """One bench.

    Attributes:
        words: its tables as text, or how to make one.
        picture: its figure; None where there is none.
    """

    words: str
    picture: Path | None


def newest_bench(project: str) -> ShownBench:
    """The newest bench below `outputs/<project>/bench`, in that folder or one of its own."""
    folder = stage_folder(project, Stage.PREDICT).parent / "bench"
    texts = [*folder.glob("bench.txt"), *folder.glob("*/bench.txt")]
    if not texts:
        return ShownBench(
            f"none yet; vesselkit dev bench model --preset 8b --output outputs/{folder.parent.name}/bench/8b makes one",
            None,
        )
    newest = max(texts, key=lambda path: path.stat().st_mtime_ns)
    picture = newest.with_name("bench.png")
    return ShownBench(newest.read_text(encoding="utf-8"), picture if picture.is_file() else None)
