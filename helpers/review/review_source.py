"""The cases of a review: runs, their data set and scores, opened once; a case's arrays are read when asked for."""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.shown_text import counted
from helpers.core.vocabulary import QueueOrder
from helpers.core.watermark import stamp_text
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.frames.frame_source import pixel_sha256, read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.evaluation.leakage.standing import COLUMN, title_of
from helpers.evaluation.metrics_folder import Metrics, name_in, outdated
from helpers.evaluation.score_table import both_empty
from helpers.evaluation.scored_runs import ScoredRun, open_scored_runs, require_predicted, require_same_ids
from helpers.metrics.definitions import BY_METRIC, Better
from helpers.metrics.topology import skeleton
from helpers.review.case_panels import truth_of
from helpers.review.case_queue import CaseQueue, queue_of
from helpers.review.corrections.bases import bases_of
from helpers.review.figures.panels import PredictedMask
from helpers.review.logit_coding import coded_map
from helpers.review.payload import CaseView, CodedPrediction
from helpers.review.session import ReviewCase, ranked
from helpers.review.verdicts import VerdictRecord, is_on
from helpers.runs.finishing import TABLE_NAME
from helpers.runs.run_folder import open_run
from helpers.runs.weights import weights_of

logger = logging.getLogger(__name__)

DOUBT_RANK = "doubt_rank"  # among the scores of a case: its place by the model's own doubt


@dataclass(frozen=True)
class ReviewSource:
    """What is reviewed.

    Attributes:
        scored_runs: the run that is reviewed, then others to show in its place; one prompt of each.
        dataset: that the runs were made from.
        metrics: scores of the first run; None where it was not evaluated.
        beside: runs of the same frames to show at the same time, each in a panel of its own.
        queue: the cases to look at; None for all of the run.
    """

    scored_runs: tuple[ScoredRun, ...]
    dataset: Dataset = field(repr=False)
    metrics: Metrics | None = field(default=None, repr=False)
    beside: tuple[ScoredRun, ...] = ()
    queue: CaseQueue | None = None

    def __post_init__(self) -> None:
        known = {case.case_id for case in self.dataset.cases}
        missing = [case_id for case_id in self._scored_run.run.cases() if case_id not in known]
        if missing:
            raise RefusedInput(
                f"expected the data set that run {self._scored_run.name} was made from, found one without "
                f"{len(missing)} of its cases, the first {missing[0]}. Name the same data set, layout and key of "
                "case ids"
            )

    @property
    def _scored_run(self) -> ScoredRun:
        return self.scored_runs[0]

    @property
    def run(self) -> str:
        """Fingerprint of what is reviewed as a whole: the SHA-256 of the run's table."""
        return self.fingerprints[0]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the reviewed run, then of the others."""
        return tuple(one.run.manifest["files"][TABLE_NAME] for one in self.scored_runs)

    def predictions(self, case_id: str) -> tuple[str | None, ...]:
        """Fingerprints of what the runs say of a case, the reviewed one first; None where one does not have it."""
        return tuple(one.prediction(case_id) for one in self.scored_runs)

    def places(self, record: VerdictRecord) -> tuple[int, ...]:
        """Which of the runs, the reviewed one being 0, a record is on, as they are now; none for another prompt."""
        if record.prompt != self.prompt or record.case_id not in self._cases_by_id:
            return ()
        shown_here = zip(self.fingerprints, self._cases_by_id[record.case_id].predictions, strict=True)
        return tuple(place for place, shown in enumerate(shown_here) if is_on(record, *shown))

    def require_whole(self, case_ids: Iterable[str]) -> None:
        """Check the files of cases before many are shown. Raises RefusedInput as `Run.require_whole`."""
        wanted = list(case_ids)
        for one in (*self.scored_runs, *self.beside):
            one.run.require_whole(wanted, one.prompt_id)

    @property
    def stamp(self) -> str | None:
        """What must stand on all that is shown of these runs, see `core.watermark`; None for runs of one's own."""
        return stamp_text(*(one.run.stamp for one in (*self.scored_runs, *self.beside)))

    @property
    def prompt(self) -> str:
        """Id of the prompt."""
        return self._scored_run.prompt_id

    @cached_property
    def scores(self) -> Mapping[str, Mapping[str, float | None]]:
        """Case id -> metric -> value, None where undefined; empty without metrics of this run and prompt."""
        if self._table is None:
            return {}
        present = [metric for metric in BY_METRIC if metric in self._table.columns]
        rows = self._table[["case_id", *present]].to_dict("records")
        return {row.pop("case_id"): {name: _finite(value) for name, value in row.items()} for row in rows}

    @cached_property
    def title(self) -> str | None:
        """Whose scores these are, see `helpers.evaluation.leakage.standing`; None without metrics."""
        return None if self.metrics is None else title_of(self.metrics.summary, name_in(self.metrics, self._scored_run))

    @cached_property
    def standings(self) -> Mapping[str, str]:
        """Case id -> how its patient stands to the training data; empty where the metrics do not say."""
        table = self._table
        return {} if table is None or COLUMN not in table else dict(zip(table["case_id"], table[COLUMN], strict=True))

    @cached_property
    def _table(self) -> pd.DataFrame | None:
        """Scores of what this run and prompt say now; None without metrics."""
        if self.metrics is None:
            return None
        name = name_in(self.metrics, self._scored_run)
        if name is None:
            raise RefusedInput(
                f"{self.metrics.folder}: expected scores of run {self._scored_run.name} and prompt {self.prompt}, "
                f"found those of {', '.join(self.metrics.runs)}. Evaluate this run, or leave the metrics out"
            )
        table, other = self.metrics.scores(name), outdated(self.metrics, name, self._scored_run)
        if other:
            logger.warning(
                "%d of %s without scores here: predicted again since they were scored. Evaluate the run again",
                len(other),
                counted(len(table), "case"),
            )
        return table[~table["case_id"].isin(other)].reset_index(drop=True)

    @cached_property
    def metric_names(self) -> tuple[str, ...]:
        """Metrics that at least one case has a value of."""
        return tuple(m for m in BY_METRIC if any(row.get(m) is not None for row in self.scores.values()))

    @property
    def lower_is_better(self) -> frozenset[str]:
        """The metrics of which a small value is good."""
        return frozenset(name for name in self.metric_names if BY_METRIC[name].better is Better.LOWER)

    @cached_property
    def cases(self) -> tuple[ReviewCase, ...]:
        """The cases of the reviewed run, or of its queue, in natural order, frames of a sequence in order of time."""
        run, cases = self._scored_run.run, []
        empty = set() if self._table is None else set(self._table["case_id"][both_empty(self._table)])
        for case_id in run.cases() if self.queue is None else self.queue.chosen:
            row, frame = run.prediction(case_id, self.prompt)[0], self.data_cases[case_id].frame
            cases.append(
                ReviewCase(
                    case_id,
                    frame.patient,
                    frame.sequence,
                    frame.number,
                    str(row.status),
                    self._ranking.get(case_id, {}) | dict(self.scores.get(case_id, {})),
                    frame.position,
                    case_id in empty,
                    self.predictions(case_id),
                )
            )
        return tuple(ranked(cases, QueueOrder.NATURAL, "dice"))

    def view(self, case_id: str) -> CaseView:
        """What the viewer shows of a case.

        Raises:
            UsageProblem: for a case that the data set does not have.
            RefusedInput: for damaged files of a run, or where the frame is not the one that was predicted, or could be
                read then and cannot be now.
        """
        case = self.data_cases.get(case_id)
        if case is None:
            raise UsageProblem(f"expected a case of the data set, got {case_id!r}")
        shown = (*self.scored_runs, *self.beside)
        predictions = [self._prediction(scored_run, case_id) for scored_run in shown]
        try:
            image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
        except UnreadableImage as error:
            if any(one is not None and one.mask is not None for one in predictions):
                raise RefusedInput(
                    f"{case_id}: its frame was predicted and cannot be read now ({error.reason}). Check that the data "
                    "set is there and whole"
                ) from error
            image = None  # the run's status says so
        if image is not None:
            require_predicted(case_id, image, shown)
        width, height = image.size if image else self._size(case_id)
        for one in predictions:
            if one is not None and one.mask is not None and one.mask.mask.shape != (height, width):
                expected, shape = f"{width}x{height}", one.mask.mask.shape
                raise RefusedInput(
                    f"{case_id}: expected a mask of {expected} pixels as the frame has, got {shape[1]}x{shape[0]}. "
                    "The data set was changed since the run: predict it again"
                )
        truth, note = truth_of(case, width, height, image is not None)
        centreline = None if truth is None else skeleton(truth.mask)
        first, sha256 = predictions[0], None if image is None else pixel_sha256(image)
        bases = (
            {}
            if image is None
            else bases_of(
                self._scored_run,
                case_id,
                None if first is None or first.mask is None else first.mask.mask,
                None if truth is None else truth.mask,
            )
        )
        return CaseView(case_id, width, height, image, truth, note, centreline, predictions, sha256, bases)

    def document(self) -> dict[str, Any]:
        """What the viewer must know before the first case, as a JSON object, docs/review.md."""
        return {
            "run": self.run,
            "config": self._scored_run.run.config.first_sha256,
            "prompt": self.prompt,
            "stamp": self.stamp,
            "title": self.title,
            "runs": [
                {
                    "run": run,
                    "name": one.name,
                    "threshold": one.run.threshold,
                    "prompt_text": one.run.prompts[one.prompt_id],
                    "config": one.run.config.first_sha256,
                    "weights": weights_of(one.model),
                }
                for run, one in zip(self.fingerprints, self.scored_runs, strict=True)
            ],
            "beside": [{"name": one.name, "threshold": one.run.threshold} for one in self.beside],
            "metrics": [
                *self._guess,
                *(
                    {"name": name, "title": BY_METRIC[name].title, "lower_is_better": name in self.lower_is_better}
                    for name in self.metric_names
                ),
            ],
            "cases": [
                {
                    "case_id": case.case_id,
                    "patient": case.patient,
                    "sequence": case.sequence,
                    "frame": case.frame,
                    "status": case.status,
                    "scores": {name: value for name, value in case.scores.items() if value is not None},
                    **({} if self.queue is None else {"why": str(self.queue.chosen[case.case_id])}),
                    "empty": case.empty,
                    "training": self.standings.get(case.case_id),
                    "predictions": list(case.predictions),
                }
                for case in self.cases
            ],
        }

    @property
    def _ranking(self) -> Mapping[str, dict[str, float | None]]:
        """Case id -> place by the model's own doubt, under `DOUBT_RANK`; empty without a queue."""
        ranks = {} if self.queue is None else self.queue.order.ranks
        return {case_id: {DOUBT_RANK: place} for case_id, place in ranks.items()}

    @property
    def _guess(self) -> list[dict[str, Any]]:
        """The place by doubt as the viewer's first metric; nothing without a queue."""
        if self.queue is None:
            return []
        title = f"model's own guess, rank of {len(self.queue.order.ranks)}"
        return [{"name": DOUBT_RANK, "title": title, "lower_is_better": False, "digits": 0, "guess": True}]

    @cached_property
    def _cases_by_id(self) -> Mapping[str, ReviewCase]:
        return {case.case_id: case for case in self.cases}

    @cached_property
    def data_cases(self) -> Mapping[str, Case]:
        """The cases of the data set by id."""
        return {case.case_id: case for case in self.dataset.cases}

    def _size(self, case_id: str) -> tuple[int, int]:
        """Width and height that a run saw; a small square where none could read the frame."""
        for scored_run in self.scored_runs:
            for row in scored_run.run.prediction(case_id, scored_run.prompt_id) if scored_run.run.has(case_id) else ():
                if row.width and row.height:
                    return row.width, row.height
        return 64, 64

    def _prediction(self, scored_run: ScoredRun, case_id: str) -> CodedPrediction | None:
        run, prompt = scored_run.run, scored_run.prompt_id
        if not run.has(case_id):
            return None
        rows = run.prediction(case_id, prompt)
        mask, stored = run.mask(case_id, prompt), run.logits(case_id, prompt)
        maps = None if stored is None else coded_map(stored, run.combine, [row.predicted_iou for row in rows])
        words = rows[0].message or rows[0].text
        return CodedPrediction(str(rows[0].status), words, None if mask is None else PredictedMask(mask), maps)


def open_source(
    run: Path,
    dataset: Dataset,
    *,
    against: Path | None = None,
    beside: Sequence[Path] = (),
    metrics: Metrics | None = None,
    prompt: str | None = None,
    queue: int | None = None,
) -> ReviewSource:
    """Open a review.

    Args:
        against: another run of the same cases, to show in place of the first.
        beside: further ones, to show at the same time.
        prompt: id of the prompt; None for the first of the run.
        queue: how many cases to look at, see `queue_of`; None for all.
    Raises:
        UsageProblem: where a run has no such prompt.
        RefusedInput: where a run is not finished or damaged, or the data set or metrics are not of it; as `queue_of`.
    """
    judged = [run] if against is None else [run, against]
    scored_runs = open_scored_runs([*judged, *beside], prompt=prompt or next(iter(open_run(run).prompts)))
    require_same_ids(scored_runs, dataset)
    source = ReviewSource(scored_runs[: len(judged)], dataset, metrics, scored_runs[len(judged) :])
    if queue is not None:
        source = replace(source, queue=queue_of(scored_runs[0], dataset, queue))
    _ = source.scores  # metrics of another run are refused now, not at the first case
    return source


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
