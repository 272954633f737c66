"""Whether a beginning pulls: corrections of the prediction beside masks that were drawn before it was seen."""

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.vocabulary import BeganFrom
from helpers.evaluation.score_table import patient_means, sizes, with_united
from helpers.metrics.case_scores import mask_digest
from helpers.metrics.intervals import FEWEST_FOR_INTERVAL, Interval, Method, Scale, mean_interval
from helpers.metrics.overlap import PixelCounts, count_pixels, dice
from helpers.review.corrections.record import CorrectionRecord, CorrectionTool, HiddenPrediction
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import ReviewSource

logger = logging.getLogger(__name__)


def drawn_first(source: ReviewSource, share: float, reviewer: str) -> frozenset[str]:
    """Ids of the cases that a reviewer is to draw from empty before their prediction is shown.

    They are drawn at random among the cases with a predicted mask, by reviewer and run: the same each time, also where
    frames were predicted again.

    Args:
        share: of these cases, 0 .. 1; of a part of a case the whole is taken.
    """
    if share == 0:
        return frozenset()
    scored_run = source.scored_runs[0]
    known = [case.case_id for case in source.cases if scored_run.has_mask(case.case_id)]
    seed = f"{reviewer}\n{scored_run.run.config.first_sha256}\n"
    drawn = sorted(known, key=lambda case_id: hashlib.sha256(f"{seed}{case_id}".encode()).digest())
    return frozenset(drawn[: math.ceil(round(share * len(drawn), 9))])


def hidden_prediction(source: ReviewSource, case_id: str, mask: np.ndarray) -> HiddenPrediction | None:
    """What a record keeps of the prediction that was withheld while a mask was drawn; None where there is none.

    Args:
        mask: bool (H, W) that was drawn.
    """
    predicted = source.scored_runs[0].run.mask(case_id, source.prompt)
    if predicted is None or predicted.shape != mask.shape:
        return None
    counts, config = count_pixels(mask, predicted), source.scored_runs[0].run.config.first_sha256
    return HiddenPrediction(config, source.prompt, mask_digest(predicted), counts.tp, counts.fp, counts.fn)


@dataclass(frozen=True)
class Closeness:
    """How close corrections lie to the prediction.

    Attributes:
        cases: that were corrected, each once however many readers it has.
        readers: who corrected them.
        patients: that their frames are of; None where that is unknown of one.
        dice: between correction and prediction: the mean over readers within each case, then averaged as scores are, by
            `patient_means`. Its bounds are None below `FEWEST_FOR_INTERVAL` patients, where one is unknown, and
            where all are equal.
    """

    cases: int
    readers: int
    patients: int | None
    dice: Interval

    def to_text(self) -> str:
        """For people, such as `Dice 0.912 ([0.880, 0.940]), 40 cases of 12 patients by 2 readers`."""
        if self.dice.estimate is None:
            return "no case"
        patients = "unknown patients" if self.patients is None else counted(self.patients, "patient")
        bounds = f"no interval below {FEWEST_FOR_INTERVAL} known patients"
        if self.dice.method is Method.EQUAL:
            bounds = "no interval, all patients equal"
        if self.dice.low is not None and self.dice.high is not None:
            bounds = f"[{self.dice.low:.3f}, {self.dice.high:.3f}]"
        cases, readers = counted(self.cases, "case"), counted(self.readers, "reader")
        return f"Dice {self.dice.estimate:.3f} ({bounds}), {cases} of {patients} by {readers}"


@dataclass(frozen=True)
class Anchoring:
    """How close corrections lie to the run's prediction, by what they began from.

    Attributes:
        of_prediction: those that began from it.
        of_empty: masks as they were drawn from empty before it was seen, without clicks.
        changed: number of these that their reader changed once the prediction was seen; they count as first drawn.
        left_out: number of records that play no part, by the reason.
    """

    of_prediction: Closeness
    of_empty: Closeness
    changed: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    def to_text(self) -> str:
        """What to tell the user."""
        changed = f" ({self.changed} changed since, counted as first drawn)" if self.changed else ""
        out = "".join(f"; left out: {count} {reason}" for reason, count in self.left_out.items())
        return (
            f"anchoring, correction against prediction: begun from it {self.of_prediction.to_text()}; drawn from empty "
            f"before it was seen {self.of_empty.to_text()}{changed}{out}"
        )


CLICKED, LOST, BACK = "with clicks of a model", "whose mask is lost", "taken back"
OTHER = "of another run or prediction than this one"


def anchoring(
    source: ReviewSource,
    store: CorrectionStore,
    standing: Mapping[str, Mapping[str, CorrectionRecord]],
    records: Iterable[CorrectionRecord],
) -> Anchoring | None:
    """Compare corrections with what the reviewed run predicted; None where nothing was drawn before it was seen.

    A mask that was drawn before counts by what its record keeps of it, whatever the reader made of it later: without
    those who changed theirs, the masks that lie far from the prediction would be missing.

    Args:
        standing: reader -> case id -> the correction that stands, as `ReviewedCorrections.standing`.
        records: all of the run's frames.
    """
    ordered = sorted(records, key=lambda one: one.moment)
    drawn = {(one.reviewer, one.case_id): one for one in ordered if one.prediction_seen is False and _is_drawn(one)}
    if not drawn:
        return None
    left_out, changed = Counter[str](), 0
    unseen, begun = dict[tuple[str, str], float](), dict[tuple[str, str], float]()
    for place, one in drawn.items():
        stands = standing.get(one.reviewer, {}).get(one.case_id)
        if one.click_weights or CorrectionTool.CLICKS in one.tools:
            left_out[CLICKED] += 1
        elif stands is None:
            left_out[BACK] += 1
        elif one.hidden is None or not _is_of_run(source, one.case_id, one.hidden):
            left_out[OTHER] += 1
        else:
            unseen[place] = dice(PixelCounts(one.hidden.tp, one.hidden.fp, one.hidden.fn, 0))
            changed += stands.id != one.id
    found = [one for by_case in standing.values() for one in by_case.values()]
    found = [one for one in found if one.base.began_from is BeganFrom.PREDICTION]
    for one in track(found, "anchoring", unit="case"):
        value = _dice(source, store, one)
        if isinstance(value, str):
            left_out[value] += 1
        else:
            begun[one.reviewer, one.case_id] = value
    return Anchoring(_closeness(source, begun), _closeness(source, unseen), changed, left_out)


def _is_drawn(record: CorrectionRecord) -> bool:
    return record.base.began_from is BeganFrom.EMPTY and record.mask_sha256 is not None


def _is_of_run(source: ReviewSource, case_id: str, hidden: HiddenPrediction) -> bool:
    """Whether what was withheld is what the run says of the case now."""
    run = source.scored_runs[0].run
    if (hidden.config, hidden.prompt) != (run.config.first_sha256, source.prompt):
        return False
    predicted = run.mask(case_id, source.prompt)
    return predicted is not None and mask_digest(predicted) == hidden.mask_sha256


def _dice(source: ReviewSource, store: CorrectionStore, record: CorrectionRecord) -> float | str:
    """Dice of a correction and the prediction that it began from; in words why it plays no part."""
    predicted = source.scored_runs[0].run.mask(record.case_id, source.prompt)
    if predicted is None or record.base.mask_sha256 != mask_digest(predicted):
        return OTHER
    try:
        mask = store.mask(record)
    except RefusedInput as error:
        logger.warning("%s", error)
        return LOST
    return OTHER if mask.shape != predicted.shape else dice(count_pixels(mask, predicted))


def _closeness(source: ReviewSource, values: Mapping[tuple[str, str], float]) -> Closeness:
    """Args: values: Dice by reader and case id."""
    if not values:
        return Closeness(0, 0, 0, mean_interval(np.array([]), Scale.SHARE))
    by_case = dict[str, list[float]]()
    for (_, case_id), value in values.items():
        by_case.setdefault(case_id, []).append(value)
    frames = [source.data_cases[case_id].frame for case_id in by_case]
    table = pd.DataFrame(
        {
            "case_id": list(by_case),
            "sequence": pd.Series([frame.sequence for frame in frames], dtype=object),
            "patient": pd.Series([frame.patient for frame in frames], dtype=object),
            "dice": [float(np.mean(of)) for of in by_case.values()],
        }
    )
    table = with_united(table, source.dataset.people.spellings)
    counted, means = sizes(table), patient_means(table, ["dice"])["dice"]
    found = mean_interval(means.to_numpy(), Scale.SHARE)
    if counted.patients is None:  # what is known instead need not be independent
        found = Interval(found.estimate, None, None, found.units)
    return Closeness(counted.cases, len({reviewer for reviewer, _ in values}), counted.patients, found)
