"""From the corrections of several readers to one mask a case, and what is left out of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import combinations

import numpy as np

from helpers.core.errors import UsageProblem
from helpers.data.frames.image_reading import natural_key
from helpers.metrics.overlap import count_pixels, dice
from helpers.review.corrections.origins import with_origins
from helpers.review.corrections.record import CorrectionRecord
from helpers.review.verdicts import Verdict, VerdictRecord

_MOST_NAMED = 5


class LeftOut(StrEnum):
    """Why a case has no mask in the data set."""

    DIFFERING = "readers differ"
    OTHER_FRAME = "the frame has other pixels now"
    UNREADABLE = "the frame cannot be read now"
    UNKNOWN = "no case of this run"
    VERDICTS = "verdicts differ"
    THRESHOLD = "accepted at another threshold than the run's"
    NO_MASK = "accepted without a mask"
    ORIGIN = "carried from a correction whose record is lost"


@dataclass(frozen=True)
class Merged:
    """What readers' work comes to.

    Attributes:
        records: case id -> the records of the mask that it has, one for each reader who drew that mask.
        accepted: case id -> the verdicts that make its prediction the mask.
        left_out: ids of cases by reason, in natural order.
        differing: case id -> who differs there by how much, of those left out for that.
        adjudicator: whose mask was to count where readers differ; None for nobody.
    """

    records: Mapping[str, tuple[CorrectionRecord, ...]] = field(repr=False)
    accepted: Mapping[str, tuple[VerdictRecord, ...]] = field(default_factory=dict, repr=False)
    left_out: Mapping[LeftOut, tuple[str, ...]] = field(default_factory=dict)
    differing: Mapping[str, str] = field(default_factory=dict, repr=False)
    adjudicator: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What to do about the cases where readers differ: one sentence, or none."""
        if not self.differing:
            return ()
        said = [f"{case_id} ({text})" for case_id, text in self.differing.items()]
        more = f" and {len(said) - _MOST_NAMED} more" if len(said) > _MOST_NAMED else ""
        ours = self.adjudicator
        advice = "Name the reader whose mask counts (--adjudicator)"
        if ours is not None:
            advice = f"{ours} has no mask there: let {ours} draw one, or name another reader (--adjudicator)"
        return (f"readers differ on {', '.join(said[:_MOST_NAMED])}{more}. {advice}",)


def merge(
    standing: Mapping[str, Mapping[str, CorrectionRecord]],
    images: Mapping[str, str | None],
    adjudicator: str | None = None,
    mask_of: Callable[[CorrectionRecord], np.ndarray] | None = None,
) -> Merged:
    """One mask a case. Where readers drew different ones, that of the adjudicator counts, else the case is left out.

    Args:
        standing: reader -> case id -> the correction that stands.
        images: case id -> `image_sha256` of its frame as it is now, None where it cannot be read; a case that is not
            there is none of this run.
        mask_of: gives the mask of a record, bool (H, W), to say by how much readers differ; None says who differs.
    Raises:
        UsageProblem: for an adjudicator who corrected nothing.
    """
    if adjudicator is not None and adjudicator not in standing:
        raise UsageProblem(
            f"adjudicator: expected a reader with corrections ({', '.join(sorted(standing)) or 'none'}), got "
            f"{adjudicator!r}"
        )
    by_case: dict[str, list[CorrectionRecord]] = {}
    for reviewer in sorted(standing):
        for case_id, record in standing[reviewer].items():
            by_case.setdefault(case_id, []).append(record)
    kept, left_out = dict[str, tuple[CorrectionRecord, ...]](), dict[LeftOut, list[str]]()
    differing = dict[str, str]()
    for case_id in sorted(by_case, key=natural_key):
        given = [one for one in by_case[case_id] if one.image_sha256 == images.get(case_id)]
        chosen = [one for one in given if one.reviewer == adjudicator] or given
        if not given:
            reason = LeftOut.UNKNOWN
            if case_id in images:
                reason = LeftOut.UNREADABLE if images[case_id] is None else LeftOut.OTHER_FRAME
            left_out.setdefault(reason, []).append(case_id)
        elif len({one.mask_sha256 for one in chosen}) > 1:
            left_out.setdefault(LeftOut.DIFFERING, []).append(case_id)
            differing[case_id] = _difference(chosen, mask_of)
        else:
            kept[case_id] = tuple(chosen)
    reasons = {reason: tuple(case_ids) for reason, case_ids in left_out.items()}
    return Merged(kept, {}, reasons, differing, adjudicator)


def _difference(records: Sequence[CorrectionRecord], mask_of: Callable[[CorrectionRecord], np.ndarray] | None) -> str:
    """`ann and bob, Dice 0.812`, of more than two readers the lowest Dice of two."""
    names = f"{', '.join(one.reviewer for one in records[:-1])} and {records[-1].reviewer}"
    if mask_of is None:
        return names
    lowest = min(dice(count_pixels(one, other)) for one, other in combinations(map(mask_of, records), 2))
    return f"{names}, {'Dice' if len(records) == 2 else 'lowest Dice'} {lowest:.3f}"


def without_lost(merged: Merged, known: Mapping[str, CorrectionRecord]) -> Merged:
    """Leave out the cases of which a record was carried from an unknown correction: what that began from is unknown.

    Args:
        known: the records of all readers by id.
    """
    lost = [
        case_id
        for case_id, records in merged.records.items()
        if any(with_origins(record, known) is None for record in records)
    ]
    if not lost:
        return merged
    kept = {case_id: records for case_id, records in merged.records.items() if case_id not in lost}
    return replace(merged, records=kept, left_out={**merged.left_out, LeftOut.ORIGIN: tuple(lost)})


def with_accepted(
    merged: Merged,
    verdicts: Mapping[str, Mapping[str, VerdictRecord]],
    threshold: float,
    with_mask: Sequence[str],
) -> Merged:
    """Add the predictions that every reviewer who judged them accepted, where nobody corrected the case.

    Args:
        verdicts: reviewer -> case id -> the verdict that stands.
        threshold: of the run's masks; a verdict on a mask at another one is on another mask.
        with_mask: ids of the cases of which the run has a mask.
    """
    masks, corrected = set(with_mask), {*merged.records, *(one for ids in merged.left_out.values() for one in ids)}
    by_case: dict[str, list[VerdictRecord]] = {}
    for reviewer in sorted(verdicts):
        for case_id, record in verdicts[reviewer].items():
            if case_id not in corrected:
                by_case.setdefault(case_id, []).append(record)
    accepted, left_out = dict[str, tuple[VerdictRecord, ...]](), dict(merged.left_out)
    for case_id in sorted(by_case, key=natural_key):
        given = by_case[case_id]
        if not any(one.verdict is Verdict.ACCEPT for one in given):
            continue
        reason = None
        if any(one.verdict is not Verdict.ACCEPT for one in given):
            reason = LeftOut.VERDICTS
        elif case_id not in masks:
            reason = LeftOut.NO_MASK
        elif any(one.threshold not in (None, threshold) for one in given):
            reason = LeftOut.THRESHOLD
        if reason is None:
            accepted[case_id] = tuple(given)
        else:
            left_out[reason] = (*left_out.get(reason, ()), case_id)
    return replace(merged, accepted=accepted, left_out=left_out)
