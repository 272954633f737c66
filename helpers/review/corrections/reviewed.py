"""The corrections of a run's cases: what the viewer shows of them, and what it and its page hand in."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.paths import plain_name
from helpers.core.shown_text import counted
from helpers.core.vocabulary import BeganFrom
from helpers.data.frames.frame_source import current_sha256
from helpers.evaluation.scored_runs import ScoredRun
from helpers.review.corrections.anchoring import Anchoring, anchoring, hidden_prediction
from helpers.review.corrections.carrying import CarriedMasks
from helpers.review.corrections.drawn import DrawnCorrection
from helpers.review.corrections.origins import (
    goes_on_with,
    with_all_of,
    with_exported,
    with_further,
    with_imported,
    with_truth_of_origins,
)
from helpers.review.corrections.record import Base, CorrectionRecord, CorrectionTool, standing
from helpers.review.corrections.store import CorrectionStore
from helpers.review.payload import packed
from helpers.review.review_source import ReviewSource
from helpers.review.verdicts import now
from helpers.runs.weights import weights_of

logger = logging.getLogger(__name__)
_NOTHING_DRAWN = (
    "expected a drawn mask, and nothing was drawn on an empty one. Draw the vessels; where there are none, draw and "
    "erase one pixel"
)
_VERDICTS, _CORRECTIONS = "verdicts", "corrections"


def corrections_beside(verdicts: Path) -> Path:
    """The folder of corrections that goes with a folder of verdicts: `verdicts` -> `corrections`, beside it."""
    if verdicts.name.endswith(_VERDICTS):
        return verdicts.with_name(verdicts.name.removesuffix(_VERDICTS) + _CORRECTIONS)
    return verdicts.with_name(f"{verdicts.name}-{_CORRECTIONS}")


@dataclass(frozen=True)
class HandedIn:
    """What became of the corrections of a file.

    Attributes:
        kept: number of those that are in the folder now and were not before.
        known: of those that were there already.
        older: of those that the reader's later correction of the case outdates.
        conflicting: of those drawn on a page that did not know the reader's correction of the case, which stays.
        strangers: of those of no case of the run.
        elsewhere: of those of another run's prediction.
        changed: of those of a frame that has other pixels now.
    """

    kept: int = 0
    known: int = 0
    older: int = 0
    conflicting: int = 0
    strangers: int = 0
    elsewhere: int = 0
    changed: int = 0

    def to_text(self) -> str:
        """What to tell the user."""
        passed = {
            "there already": self.known,
            "older than what is kept": self.older,
            "of no case of this run": self.strangers,
            "of another run's prediction": self.elsewhere,
            "of frames with other pixels now": self.changed,
        }
        told = [f"{counted(self.kept, 'correction')} imported"]
        said = ", ".join((*told, *(f"{count} {what}" for what, count in passed.items() if count)))
        if not self.conflicting:
            return said
        return (
            f"{said}, {self.conflicting} left out whose page did not know the correction that is kept of the case: to "
            "have the page's, take that one back in the viewer (X) and import the file again"
        )


@dataclass
class ReviewedCorrections:
    """The corrections in `store` of the cases of `source`, as the store was read last.

    Raises:
        RefusedInput: where the store cannot be read.
    """

    source: ReviewSource
    store: CorrectionStore
    _records: tuple[CorrectionRecord, ...] = field(default=(), repr=False)
    _handed_out: dict[str, set[Base]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.reload()

    def handed_out(self, case_id: str, bases: Iterable[Base]) -> None:
        """What a viewer was told that a correction of a case can begin from.

        Strokes in hand stay on the mask that they began from, also where the case has another one meanwhile: `keep`
        takes them, and their record names that mask.
        """
        self._handed_out.setdefault(case_id, set()).update(bases)

    def reload(self) -> None:
        """Read the store again, for what others corrected meanwhile."""
        self._records = self.store.records()

    @property
    def standing(self) -> Mapping[str, Mapping[str, CorrectionRecord]]:
        """Reader -> case id -> the correction that stands, of frames that are as they were when the run saw them."""
        found = {
            reviewer: {case_id: one for case_id, one in by_case.items() if self._is_of_run(one)}
            for reviewer, by_case in standing(self._records).items()
        }
        return {reviewer: by_case for reviewer, by_case in found.items() if by_case}

    def facts(self, case_id: str | None = None) -> list[dict[str, Any]]:
        """Each reader's last record of each case as JSON objects, docs/review.md; `mask` is null of one taken back.

        Args:
            case_id: the only one that is asked for; None for all.
        """
        latest = {(one.reviewer, one.case_id): one for one in sorted(self._records, key=lambda one: one.moment)}
        return [
            {name: value for name, value in asdict(one).items() if name != "hidden"}
            | {"tools": list(one.tools)}
            | ({"mask": None} if one.mask_sha256 is None else {})
            for one in latest.values()
            if case_id in (None, one.case_id) and self._is_of_run(one)
        ]

    def masks(self, case_id: str) -> dict[str, str | None]:
        """Id of a record -> its mask as in a payload, of all that stand for a case; None where its file is damaged."""
        found = dict[str, str | None]()
        for by_case in self.standing.values():
            if case_id not in by_case:
                continue
            record = by_case[case_id]
            try:
                found[record.id] = packed(self.store.mask(record))
            except RefusedInput as error:
                logger.warning("%s", error)
                found[record.id] = None
        return found

    def own(self, case_id: str, reviewer: str) -> tuple[CorrectionRecord, ...]:
        """All records of a reader of a case, also of what was taken back."""
        return tuple(one for one in self._records if (one.case_id, one.reviewer) == (case_id, reviewer))

    def measured_anchoring(self) -> Anchoring | None:
        """How close the corrections lie to the prediction, as `anchoring` gives it; every mask is read."""
        records = [one for one in self._records if self._is_of_run(one)]
        return anchoring(self.source, self.store, self.standing, records)

    def to_text(self, measured: Anchoring | None = None) -> str:
        """How many cases each reader corrected, and how close to the prediction where that was measured; else empty."""
        lines = [f"{reviewer}: {len(by_case)} corrected" for reviewer, by_case in self.standing.items()]
        return "\n".join(lines if measured is None else [*lines, measured.to_text()])

    def keep(self, drawn: DrawnCorrection, reviewer: str, *, unseen: bool = False) -> CorrectionRecord:
        """Keep what a reader drew in the viewer; it is on the disk when this returns.

        The record that is kept names what took part beside the base, which the viewer does not know.

        Args:
            unseen: whether the reader cannot have seen the prediction of the case; only then a record may say so.
        Raises:
            UsageProblem: where nothing was drawn on an empty mask, it is another reader's or of another case, the frame
                is another one now, what it began from is neither there nor was handed out, or another window of the
                reader kept a correction of the case that this one's page did not know.
            RefusedInput, OSError: as `ReviewSource.view` and `CorrectionStore.save`.
        """
        record = drawn.record
        if record.reviewer != reviewer or not self._is_ours(record):
            raise UsageProblem("expected a correction of this reviewer of a case of this run and prompt")
        if drawn.mask is not None and not (
            drawn.mask.any() or record.tools or record.base.began_from is not BeganFrom.EMPTY
        ):
            raise UsageProblem(_NOTHING_DRAWN)
        self.reload()
        view, before = self.source.view(record.case_id), self.standing.get(reviewer, {}).get(record.case_id)
        waiting = CarriedMasks(self.source, self.store, reviewer).waiting().get(record.case_id)
        bases = {*view.bases.values(), *(one.base for one in (before, waiting) if one is not None)}
        bases |= self._handed_out.get(record.case_id, set())
        if record.image_sha256 != view.image_sha256 or record.base not in bases:
            raise UsageProblem(
                "expected a correction of the frame and the mask as they are now, and the case was changed meanwhile. "
                "Open the review again"
            )
        record = self._completed(record, before, {one.id: one for one in self._records})
        hidden = None
        if drawn.mask is not None and unseen and record.prediction_seen is False:
            hidden = hidden_prediction(self.source, record.case_id, drawn.mask)
        record = replace(record, prediction_seen=record.prediction_seen if unseen else None, hidden=hidden)
        self.store.save(record, drawn.mask, partial(self._require_known, drawn))
        self._records = (*self._records, record)
        return record

    def hand_in(self, given: Iterable[DrawnCorrection]) -> HandedIn:
        """Keep the corrections of files that the page gave, each reader's in order of time.

        A correction that the reader took back outdates none that another page drew: it stands from now on.

        Raises:
            UsageProblem: for a reader whose name cannot be a folder's.
            OSError: where one cannot be written; those before it are kept.
        """
        self.reload()
        ordered = sorted(given, key=lambda one: one.record.moment)
        for one in ordered:
            plain_name(one.record.reviewer, "reviewer")  # all or none are taken
        known = {one.id: one for one in self._records}
        last = {(one.reviewer, one.case_id): one for one in sorted(self._records, key=lambda one: one.moment)}
        drawn = standing(one for one in self._records if one.mask_sha256 is not None)
        counts = dict.fromkeys((one.name for one in fields(HandedIn)), 0)
        for one in ordered:
            record, place = one.record, (one.record.reviewer, one.record.case_id)
            if record.id in known:
                counts["known"] += 1
            elif record.case_id not in self._cases:
                counts["strangers"] += 1
            elif not self._is_ours(record):
                counts["elsewhere"] += 1
            elif not self._is_of_frame(record):
                counts["changed"] += 1
            elif self._is_outdated(
                one, last.get(place) if one.mask is None else drawn.get(record.reviewer, {}).get(record.case_id)
            ):
                counts["older"] += 1
            elif self._would_replace(last.get(place)) and one.knows(last[place]) is False:
                counts["conflicting"] += 1
            else:
                # No page withholds a prediction, so that none can say that it was not seen.
                record = replace(self._completed(record, last.get(place), known), prediction_seen=None, hidden=None)
                if place in last and last[place].moment >= record.moment:
                    record = replace(record, time=now([last[place]]))
                self.store.save(record, one.mask)
                known[record.id] = last[place] = record
                if one.mask is not None:
                    drawn.setdefault(record.reviewer, {})[record.case_id] = record
                counts["kept"] += 1
        self.reload()
        return HandedIn(**counts)

    @staticmethod
    def _is_outdated(given: DrawnCorrection, last: CorrectionRecord | None) -> bool:
        """Whether the reader's last record is later than one whose page did not know it."""
        return last is not None and last.moment >= given.record.moment and given.knows(last) is not True

    def _completed(
        self, record: CorrectionRecord, before: CorrectionRecord | None, known: Mapping[str, CorrectionRecord]
    ) -> CorrectionRecord:
        """A record that names the runs whose logits it took pixels from, and what an earlier one of it names.

        Args:
            before: the reader's record of the case so far.
            known: all records by id.
        """
        if record.mask_sha256 is None:
            return record
        told = bool(record.further_configs)
        exported = self.source.dataset.exported_mask(self.source.data_cases[record.case_id])
        if exported is not None and record.base.began_from is BeganFrom.TRUTH:
            record = with_exported(record, exported)
        if CorrectionTool.THRESHOLD in record.tools and not told:
            # A page of an earlier version does not tell which one was on the screen: any that is reviewed can be.
            shown = [one for one in self.source.scored_runs if _stores_logits(one, record.case_id)]
            record = with_further(
                record, [one.run.config.first_sha256 for one in shown], [weights_of(one.model) for one in shown]
            )
        if before is not None and before.mask_sha256 is not None and goes_on_with(record, before):
            record = with_all_of(record, before)
        return with_truth_of_origins(with_imported(record, self.source.scored_runs), known)

    def _would_replace(self, last: CorrectionRecord | None) -> bool:
        """Whether a reader's last record of a case is a correction of the frame as the run saw it."""
        return last is not None and last.mask_sha256 is not None and self._is_of_run(last)

    def _require_known(self, drawn: DrawnCorrection, last: CorrectionRecord | None) -> None:
        """Refuse what a page drew that did not know the reader's last record of the case, as far as pages are told."""
        if last is not None and self._is_of_run(last) and not drawn.knows(last):
            raise UsageProblem(
                f"{last.case_id}: another window of yours kept a correction of this case meanwhile, which this one "
                "does not know. What you drew stays in hand: leave with E to see the other one; E and s then save "
                "yours in its place"
            )

    def _is_of_run(self, record: CorrectionRecord) -> bool:
        """Whether a record is of a frame of the run that is as the run saw it, as far as the run says."""
        hashes = self.source.scored_runs[0].run.image_hashes
        return record.case_id in self._cases and hashes.get(record.case_id, record.image_sha256) == record.image_sha256

    def _is_of_frame(self, record: CorrectionRecord) -> bool:
        """Whether a record of a case of the run is of its frame as it is now."""
        return record.image_sha256 == current_sha256(self.source.data_cases[record.case_id].frame)

    @cached_property
    def _cases(self) -> frozenset[str]:
        return frozenset(case.case_id for case in self.source.cases)

    def _is_ours(self, record: CorrectionRecord) -> bool:
        """Whether a record is of a case of the run, and began from no other run's prediction."""
        base, scored_run = record.base, self.source.scored_runs[0]
        if record.case_id not in self._cases:
            return False
        ours = (base.config, base.prompt) == (scored_run.run.config.first_sha256, scored_run.prompt_id)
        return base.began_from is not BeganFrom.PREDICTION or ours


def _stores_logits(scored_run: ScoredRun, case_id: str) -> bool:
    run = scored_run.run
    return run.has(case_id) and run.logits(case_id, scored_run.prompt_id) is not None
