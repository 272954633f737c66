"""Scores on ground truth that began from the scored masks themselves: how far they were edited, and no headline.

See docs/metrics-format.md. Whoever corrects a mask leaves alone what is nearly right, so that the corrected mask is
closer to the mask that it began from than to any other one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from helpers.core.shown_text import counted
from helpers.data.dataset import Dataset
from helpers.data.exported_masks import ExportedMask, MaskOrigin
from helpers.evaluation.leakage.standing import joint_title
from helpers.evaluation.scored_runs import ScoredRun
from helpers.runs.weights import weights_of

EDIT_TITLE = "edit distance to the corrected mask"
KEY = "edit_distance"  # of a run in a summary


@dataclass(frozen=True)
class OwnTruth:
    """The scored cases whose ground truth began from a run's own masks, or from those of the same weights.

    Attributes:
        cases: their ids.
        accepted: how many of them are its masks as they were, which reviewers accepted.
        scored: number of all scored cases.
    """

    cases: tuple[str, ...] = field(repr=False)
    accepted: int
    scored: int

    @property
    def text(self) -> str:
        """Why there is no headline: a clause."""
        accepted = f", {self.accepted} of them as it was" if self.accepted else ""
        return (
            f"the ground truth of {len(self.cases)} of {counted(self.scored, 'scored case')} began from its own "
            f"masks{accepted}"
        )

    def to_json(self) -> dict[str, Any]:
        """An object of a summary."""
        return {"cases": len(self.cases), "accepted": self.accepted, "case_ids": list(self.cases)}


def own_truths(
    scored_runs: Sequence[ScoredRun], dataset: Dataset, tables: Mapping[str, pd.DataFrame]
) -> dict[str, OwnTruth]:
    """Runs, by name, that the ground truth of a scored case began from; none where people drew it apart from them.

    A mask began from a run where the run, its weights, or the very mask is what its record names, and from an imported
    run where it began from what the imported masks began from.

    Args:
        tables: of scores, by the names of the scored runs.
    """
    records = {case.case_id: dataset.exported_mask(case) for case in dataset.cases}
    found = {}
    for scored_run in scored_runs:
        table = tables[scored_run.name]
        config, weights = scored_run.run.config.first_sha256, weights_of(scored_run.model)
        origins = scored_run.origins
        drawn = dict(
            zip(table["case_id"], table["prediction_digest"].where(table["tp"] + table["fp"] > 0), strict=True)
        )
        own = {
            case_id: record
            for case_id, digest in drawn.items()
            if (record := records.get(case_id)) is not None
            and (record.began_from(config, weights) or _is_base(record, digest) or origins.share(case_id, record))
        }
        if own:
            accepted = sum(record.origin is MaskOrigin.ACCEPTED for record in own.values())
            found[scored_run.name] = OwnTruth(tuple(own), accepted, len(table))
    return found


def edit_titles(standing: Mapping[str, Any], own: Mapping[str, OwnTruth]) -> dict[str, Any]:
    """The record of standings with titles that say which scores are edit distances."""
    runs = [
        {**one, "title": f"{EDIT_TITLE} ({own[one['run']].text}); {one['title']}"} if one["run"] in own else one
        for one in standing["runs"]
    ]
    return {**standing, "title": joint_title({one["run"]: one["title"] for one in runs}), "runs": runs}


def edit_warnings(own: Mapping[str, OwnTruth]) -> list[str]:
    """What must be known of such runs: a sentence for each."""
    return [
        f"run {name}: {one.text}. Its scores say how much of its masks was edited, and nothing of how good it is: it "
        "has no headline, and no run is compared with it. Score it on cases that nobody began from its masks"
        for name, one in own.items()
    ]


def not_compared(summary: Mapping[str, Any], comparison: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of the two runs of a comparison whose masks the ground truth began from: it has no numbers to show.

    Evaluations of earlier versions hold numbers all the same.

    Args:
        comparison: one of a summary.
    """
    both = (str(comparison["first"]), str(comparison["second"]))
    return tuple(name for name in both if edit_distance_of(summary, name) is not None)


def not_compared_text(first: str, second: str, own: Sequence[str]) -> str:
    """Why two runs are not compared, and what to do: two sentences.

    Args:
        own: as `not_compared` gives it, not empty.
    """
    return (
        f"{second} is not compared with {first}: the ground truth began from the masks of {' and of '.join(own)}, so "
        f"that a difference says who was edited less, and not who is better. Compare the two on cases that "
        "nobody began from their masks"
    )


def run_title(summary: Mapping[str, Any], run: str) -> str:
    """A run's name above its scores, with what these are where the ground truth began from its masks."""
    return f"{run}: {EDIT_TITLE}" if edit_distance_of(summary, run) is not None else run


def edit_distance_of(summary: Mapping[str, Any], run: str) -> Mapping[str, Any] | None:
    """What a summary says of a run whose masks its ground truth began from; None for others and in older folders.

    Args:
        run: its name.
    """
    return next((one.get(KEY) for one in summary["runs"] if one["name"] == run), None)


def _is_base(record: ExportedMask, digest: str | float) -> bool:
    """Whether a mask is the ground truth itself, or what it began from; an undrawn one, whose digest is NaN, is not."""
    return isinstance(digest, str) and digest in record.digests
