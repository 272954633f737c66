"""Whether a beginning pulls: corrections of the prediction beside masks that were drawn before it was seen."""

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.core.vocabulary import BeganFrom
from helpers.metrics.case_scores import mask_digest
from helpers.metrics.intervals import FEWEST_FOR_INTERVAL, Interval, Scale, mean_interval
from helpers.metrics.overlap import count_pixels, dice
from helpers.review.corrections.record import CorrectionRecord
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import ReviewSource
from helpers.runs.weights import weights_of

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
    run = source.scored_runs[0].run
    cases = [case.case_id for case in source.cases]
    known = [one for one in cases if run.prediction(one, source.prompt)[0].mask_pixels is not None]
    seed = f"{reviewer}\n{run.config.first_sha256}\n"
    drawn = sorted(known, key=lambda case_id: hashlib.sha256(f"{seed}{case_id}".encode()).digest())
    return frozenset(drawn[: math.ceil(round(share * len(drawn), 9))])


@dataclass(frozen=True)
class Closeness:
    """How close corrections lie to the prediction.

    Attributes:
        cases: number of corrections.
        patients: that their frames are of; None where that is unknown of one.
        dice: between correction and prediction: the mean over cases within each patient, then over patients (over cases
            where patients are unknown). Its bounds are None below `FEWEST_FOR_INTERVAL` patients.
    """

    cases: int
    patients: int | None
    dice: Interval

    def to_text(self) -> str:
        """For people, such as `Dice 0.912 [0.880, 0.940], 40 cases of 12 patients`."""
        if self.dice.estimate is None:
            return "no case"
        patients = "unknown patients" if self.patients is None else f"{self.patients} patients"
        bounds = f"no interval below {FEWEST_FOR_INTERVAL} known patients"
        if self.dice.low is not None and self.dice.high is not None:
            bounds = f"[{self.dice.low:.3f}, {self.dice.high:.3f}]"
        return f"Dice {self.dice.estimate:.3f} ({bounds}), {self.cases} cases of {patients}"


@dataclass(frozen=True)
class Anchoring:
    """How close corrections lie to the run's prediction, by what they began from.

    Attributes:
        of_prediction: those that began from it.
        of_empty: those that were drawn from empty before it was seen, without clicks that its own model answered.
    """

    of_prediction: Closeness
    of_empty: Closeness

    def to_text(self) -> str:
        """What to tell the user."""
        return (
            f"anchoring, correction against prediction: begun from it {self.of_prediction.to_text()}; drawn from empty "
            f"before it was seen {self.of_empty.to_text()}"
        )


def anchoring(
    source: ReviewSource, store: CorrectionStore, standing: Mapping[str, Mapping[str, CorrectionRecord]]
) -> Anchoring | None:
    """Compare corrections with what the reviewed run predicted; None where nothing was drawn before it was seen.

    A correction that began from a prediction which is another one now plays no part, nor does one whose mask is lost.

    Args:
        standing: reader -> case id -> the correction that stands, as `ReviewedCorrections.standing`.
    """
    records = [one for by_case in standing.values() for one in by_case.values()]
    drawn = [one for one in records if one.base.began_from is BeganFrom.EMPTY and one.prediction_seen is False]
    # A mask that the same weights answered resembles the prediction for another reason.
    weights = weights_of(source.scored_runs[0].model)
    unseen = [one for one in drawn if weights is None or weights not in one.click_weights]
    if not unseen:
        return None
    begun = [one for one in records if one.base.began_from is BeganFrom.PREDICTION]
    values = dict[str, float]()
    for one in track([*begun, *unseen], "anchoring", unit="case"):
        value = _dice(source, store, one)
        if value is not None:
            values[one.id] = value
    return Anchoring(_closeness(source, begun, values), _closeness(source, unseen, values))


def _dice(source: ReviewSource, store: CorrectionStore, record: CorrectionRecord) -> float | None:
    """Dice of a correction and the prediction of its case; None where one of them is not there."""
    predicted = source.scored_runs[0].run.mask(record.case_id, source.prompt)
    if predicted is None:
        return None
    if record.base.began_from is BeganFrom.PREDICTION and record.base.mask_sha256 != mask_digest(predicted):
        return None
    try:
        mask = store.mask(record)
    except RefusedInput as error:
        logger.warning("%s", error)
        return None
    return None if mask.shape != predicted.shape else dice(count_pixels(predicted, mask))


def _closeness(source: ReviewSource, records: Sequence[CorrectionRecord], values: Mapping[str, float]) -> Closeness:
    by_patient: dict[str | None, list[float]] = {}
    records = [one for one in records if one.id in values]
    for one in records:
        by_patient.setdefault(source.data_cases[one.case_id].frame.patient, []).append(values[one.id])
    known = None not in by_patient
    units = [float(np.mean(of)) for of in by_patient.values()] if known else [values[one.id] for one in records]
    found = mean_interval(np.array(units), Scale.SHARE)
    if not known:
        found = Interval(found.estimate, None, None, found.units)
    return Closeness(len(records), len(by_patient) if known else None, found)
