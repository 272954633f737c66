"""The kit's scores as a metric of mmengine: ground truth meets predictions here. The engine is helpers.evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from helpers.core.errors import VesselkitError
from helpers.data.cases import ignored_of
from helpers.data.dataset import Dataset
from helpers.evaluation.case_arrays import Scorable, scorable
from helpers.evaluation.score_table import pooled, scores_table, summary, with_united
from helpers.evaluation.sealed_looks import counted_look, look_warnings
from helpers.metrics.case_scores import CaseArrays, CaseScores, CaseScoring, score_case
from helpers.metrics.definitions import DISTANCES
from helpers.runs.status import NO_ANSWER
from helpers.train.test_route.mmengine_scope import METRICS


@METRICS.register_module()
class VesselMetric(BaseMetric):
    """Every metric of docs/metrics.md with its interval, as `vesselkit evaluate` computes it."""

    default_prefix = "vessel"

    def __init__(self, collect_device: str = "gpu", prefix: str | None = None):
        """Set the metric up.

        Args:
            collect_device: mmengine's `gpu` sends scores through the process group, whatever its backend; `cpu` leaves
                a folder in the working directory.
            prefix: before the names of the numbers.
        """
        super().__init__(collect_device, prefix)
        self._scorable: dict[str, Scorable] = {}

    @property
    def dataset_meta(self) -> Mapping[str, Dataset] | None:
        """What `FrameDataset.metainfo` gives."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: Mapping[str, Dataset]) -> None:
        """Take the data set, and check its ground truths before anything is predicted.

        Raises:
            RefusedInput: where a ground truth cannot be drawn on its frame, or there is none.
        """
        self._dataset_meta = meta
        dataset = meta["dataset"]
        dataset.require_decided()
        with_truth = [case.case_id for case in dataset.cases if case.truth is not None]
        self._scorable = {found.case_id: found for found in scorable(dataset, with_truth, [])}

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Score one batch. Called by mmengine's test loop.

        Args:
            data_samples: the elements of `Sa2VAForPrediction.forward`, as dicts.
        """
        for sample in data_samples:
            wanted = self._scorable.get(sample["case_id"])
            scores = None if wanted is None else _scored(wanted, sample)
            error = f"{sample['status']}: {sample['text']}" if sample["status"] in NO_ANSWER else None
            self.results.append((sample["case_id"], scores, error))

    def compute_metrics(self, results: Sequence[tuple[str, CaseScores | None, str | None]]) -> dict[str, float]:
        """Means with the ends of their intervals, pooled numbers and counts; what is undefined everywhere is left out.

        Beside a distance stand its median over cases and the number of cases at the cap.

        A case that came twice, as mmengine's own sampler may have it, counts once. Of sealed patients stand the number
        of looks at them, this one included, and whether this very look was counted before, as 0 or 1.

        Raises:
            RefusedInput: where no case has a ground truth.
            VesselkitError: where a case was not predicted.
        """
        scored = {case_id: scores for case_id, scores, _ in results if scores is not None}
        errors = {case_id: error for case_id, _, error in results if error is not None and case_id in self._scorable}
        if errors:
            MMLogger.get_current_instance().warning(
                f"{len(errors)} of {len(self._scorable)} cases ended in an error, each scored as an empty mask; "
                f"the first: {next(iter(errors.values()))}"
            )
        missing = [case_id for case_id in self._scorable if case_id not in scored]
        if missing:
            raise VesselkitError(
                f"expected a prediction of every case, found none of {len(missing)}, the first {missing[0]}. Use the "
                "batch sampler vesselkit.FixedBatches"
            )
        table = scores_table([scored[case_id] for case_id in self._scorable])
        table = with_united(table, self._dataset_meta["dataset"].people.spellings)
        numbers: dict[str, float] = {}
        for row in (*summary(table).to_dict("records"), *pooled(table).to_dict("records")):
            if np.isfinite(row["mean"]):
                ends = {"low": row["low"], "high": row["high"]}
                numbers[row["metric"]] = float(row["mean"])
                numbers |= {f"{row['metric']}_{end}": float(value) for end, value in ends.items() if np.isfinite(value)}
                if row["metric"] in DISTANCES:
                    numbers[f"{row['metric']}_median"] = float(row["median"])
                    numbers[f"{row['metric']}_n_infinite"] = float(row["n_infinite"])
        # As floats, since mmengine's JSON log leaves whole numbers out.
        outcomes = {f"n_{outcome}": float((table["outcome"] == outcome).sum()) for outcome in CaseScoring}
        counts = {"n_cases": float(len(table)), **outcomes, "n_errors": float(len(errors))}
        return {**numbers, **counts, **_looks(self._dataset_meta["dataset"], table)}


def _looks(dataset: Dataset, table: pd.DataFrame) -> dict[str, float]:
    """What is counted of a look at sealed patients; empty where none was scored."""
    look = counted_look(dataset, [table])
    for text in look_warnings(look):
        MMLogger.get_current_instance().warning(text)
    return {} if look is None else {"n_looks": float(look["number"]), "look_again": float(look["again"])}


def _scored(wanted: Scorable, sample: Mapping[str, Any]) -> CaseScores:
    width, height = wanted.size
    scores = score_case(
        CaseArrays(
            case_id=wanted.case_id,
            truth=wanted.truth.mask(width, height),
            ignored=ignored_of(wanted.truth, width, height),
            prediction=sample["mask"],
            sequence=wanted.case.frame.sequence,
            patient=wanted.case.frame.patient,
            logits=sample["logits"],
            logits_expected=True,
            spacing_mm=wanted.spacing_mm,
        )
    )
    # Means need none, and it is what would make the results of many cases large to send.
    return replace(scores, histogram=None)
